//! `history`: the transactions of a profile, newest first.
//!
//! Read and written page by page, so that a hundred thousand of them take no memory and the first
//! ones appear at once.

use profile_db::journal::{Filter, Journal};
use profile_db::model::TransactionNumber;
use profile_store::{Exit, changes};

use crate::cli::History;
use crate::commands::{Outcome, path};
use crate::context::{Context, Result};
use crate::envelope;
use crate::failure::Failure;
use crate::output::screen::{self, Written};
use crate::report::transaction::{Transaction, history_page};

/// Transactions that are read at a time.
const PAGE: u64 = 500;

/// Prints the transactions.
///
/// # Errors
///
/// There is no such profile or the journal cannot be read.
pub fn run(arguments: &History, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let profile = context.profile(&pool)?;
    context.catch_up(&pool, &profile);
    let journal = context.journal(&pool)?;
    if arguments.path.is_some() {
        changes::ensure(&pool, &journal, &profile, context.progress().as_mut())?;
    }
    let path = match &arguments.path {
        Some(path) => Some(path::in_profile(path, context, &pool, &profile)?),
        None => None,
    };
    let filter = Filter {
        profile: Some(profile.id),
        package: arguments.package.clone(),
        path: path.as_deref().map(path::from_root),
        before: arguments.before.map(number).transpose()?,
        ..Filter::default()
    };
    let mut pages = Pages {
        journal,
        filter,
        left: if arguments.limit == 0 {
            u64::MAX
        } else {
            arguments.limit
        },
    };
    if context.screen.json {
        print_json(&mut pages, context)
    } else {
        print_human(&mut pages, context)
    }
}

/// The pages of a filtered history.
struct Pages {
    journal: Journal,
    filter: Filter,
    left: u64,
}

impl Pages {
    /// The next page; empty at the end.
    fn next(&mut self) -> Result<Vec<Transaction>> {
        let limit = self.left.min(PAGE);
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.filter.limit = usize::try_from(limit).ok();
        let page = self.journal.transactions(&self.filter)?;
        self.left = match page.last() {
            Some(last) if page.len() as u64 == limit => {
                self.filter.before = Some(last.number);
                self.left - limit
            }
            _ => 0,
        };
        Ok(page.iter().map(Transaction::from).collect())
    }

    /// Whether the limit cut the list.
    fn more(&mut self) -> Result<bool> {
        self.filter.limit = Some(1);
        Ok(self.filter.before.is_some() && !self.journal.transactions(&self.filter)?.is_empty())
    }
}

fn print_human(pages: &mut Pages, context: &Context) -> Result<Outcome> {
    let mut first = true;
    let mut last = None;
    loop {
        let page = pages.next()?;
        let Some(newest_last) = page.last().map(|transaction| transaction.number) else {
            break;
        };
        if write(history_page(&page, first, &context.screen.out).as_bytes())? == Written::ReaderGone
        {
            return Ok(Outcome::Ended(0));
        }
        (first, last) = (false, Some(newest_last));
    }
    match last {
        None => {
            write(b"There are no transactions.\n")?;
        }
        Some(last)
            if pages
                .filter
                .before
                .is_some_and(|before| before.get() == last)
                && pages.more()? =>
        {
            context.screen.note(&format!(
                "there are older ones: `--before {last}` goes on, `--limit 0` shows all"
            ));
        }
        Some(_) => {}
    }
    Ok(Outcome::Ended(0))
}

/// One object like any other, written as its rows are read: "ok" comes last, when it is known.
fn print_json(pages: &mut Pages, context: &Context) -> Result<Outcome> {
    let opening = format!(
        "{{\"schema\":\"{}\",\"result\":{{\"transactions\":[",
        envelope::schema(context.verb)
    );
    let warnings = match context.warnings() {
        none if none.is_empty() => String::new(),
        some => format!("\"warnings\":{},", serde_json::Value::from(some)),
    };
    let mut written = write(opening.as_bytes())?;
    let mut first = true;
    while written == Written::Whole {
        let page = match pages.next() {
            Ok(page) => page,
            Err(failure) => {
                // The object is open already: it is closed with the failure in it.
                let error = envelope::error(&failure);
                write(format!("]}},{warnings}\"ok\":false,\"error\":{error}}}\n").as_bytes())?;
                return Ok(Outcome::Ended(failure.code));
            }
        };
        if page.is_empty() {
            write(format!("]}},{warnings}\"ok\":true}}\n").as_bytes())?;
            break;
        }
        let mut text = String::new();
        for transaction in &page {
            if !std::mem::take(&mut first) {
                text.push(',');
            }
            text.push_str(
                &serde_json::to_string(transaction)
                    .expect("BUG: a transaction has only strings and numbers"),
            );
        }
        written = write(text.as_bytes())?;
    }
    Ok(Outcome::Ended(0))
}

fn write(bytes: &[u8]) -> Result<Written> {
    screen::write(bytes).map_err(|error| {
        Failure::new(
            Exit::Failed,
            "cannot-write",
            format!("cannot write to standard output: {error}"),
        )
    })
}

/// A number of the command line, which is positive already.
pub fn number(number: i64) -> Result<TransactionNumber> {
    TransactionNumber::new(number).map_err(|error| Failure::usage(error.to_string()))
}
