//! The system calls and ioctls that neither the standard library nor nix wraps: the only unsafe code.
//!
//! Each function takes borrowed descriptors and slices and returns owned values, so that nothing unsafe
//! leaves this file. Numbers and structures come from linux-raw-sys, for every architecture we build for.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_ulong};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use linux_raw_sys::btrfs::{
    btrfs_ioctl_dev_info_args, btrfs_ioctl_fs_info_args, btrfs_ioctl_get_subvol_info_args,
    btrfs_ioctl_get_subvol_rootref_args, btrfs_ioctl_ino_lookup_args, btrfs_ioctl_search_args_v2,
    btrfs_ioctl_search_key, btrfs_ioctl_send_args, btrfs_ioctl_space_args, btrfs_ioctl_space_info,
    btrfs_ioctl_vol_args, btrfs_ioctl_vol_args_v2,
};
use linux_raw_sys::general::file_clone_range;
use linux_raw_sys::ioctl::{
    BTRFS_IOC_DEV_INFO, BTRFS_IOC_FS_INFO, BTRFS_IOC_GET_SUBVOL_INFO, BTRFS_IOC_GET_SUBVOL_ROOTREF,
    BTRFS_IOC_INO_LOOKUP, BTRFS_IOC_SEND, BTRFS_IOC_SNAP_CREATE_V2, BTRFS_IOC_SNAP_DESTROY,
    BTRFS_IOC_SPACE_INFO, BTRFS_IOC_SUBVOL_CREATE_V2, BTRFS_IOC_SUBVOL_GETFLAGS,
    BTRFS_IOC_SUBVOL_SETFLAGS, BTRFS_IOC_SYNC, BTRFS_IOC_TREE_SEARCH_V2, FICLONE, FICLONERANGE,
};
use linux_raw_sys::loop_device::{
    LOOP_CONFIGURE, LOOP_CTL_GET_FREE, LOOP_GET_STATUS64, loop_config, loop_info64,
};

pub(crate) use linux_raw_sys::btrfs::btrfs_ioctl_search_key as SearchKey;
pub(crate) use linux_raw_sys::loop_device::loop_info64 as LoopInfo;

fn result(code: c_int) -> io::Result<c_int> {
    if code < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(code)
    }
}

/// A zeroed `T`. Only for the C structures of linux-raw-sys.
fn zeroed<T: Copy>() -> T {
    // SAFETY: every T used in this file is a `repr(C)` structure of integers, integer arrays and raw
    // pointers, for which all zero bytes are a valid value.
    unsafe { mem::zeroed() }
}

/// An ioctl whose argument is a structure of the size the number was defined with.
fn ioctl_with<T>(fd: BorrowedFd<'_>, number: u32, argument: &mut T) -> io::Result<c_int> {
    // SAFETY: the caller pairs a number with the structure the kernel defines for it; the kernel reads
    // and writes no more than that structure, which lives as long as the call.
    result(unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            c_ulong::from(number) as _,
            std::ptr::from_mut(argument),
        )
    })
}

/// An ioctl whose argument is a plain integer.
fn ioctl_value(fd: BorrowedFd<'_>, number: u32, argument: c_ulong) -> io::Result<c_int> {
    // SAFETY: the caller uses only numbers whose argument the kernel takes by value.
    result(unsafe { libc::ioctl(fd.as_raw_fd(), c_ulong::from(number) as _, argument) })
}

/// Copies a name into a fixed C array, which stays NUL-terminated.
fn copy_name<C: Copy>(name: &[u8], into: &mut [C], convert: impl Fn(u8) -> C) -> io::Result<()> {
    if name.is_empty() || name.len() >= into.len() || name.contains(&0) || name.contains(&b'/') {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    for (place, &byte) in into.iter_mut().zip(name) {
        *place = convert(byte);
    }
    Ok(())
}

// ---- btrfs: subvolumes ----

fn volume_arguments(name: &[u8]) -> io::Result<btrfs_ioctl_vol_args_v2> {
    // The v2 structure takes names of up to 4039 bytes; the kernel stops at 255 itself.
    let mut arguments: btrfs_ioctl_vol_args_v2 = zeroed();
    // SAFETY: the union's array member covers the whole union, which was zeroed.
    let place = unsafe { &mut arguments.__bindgen_anon_2.name };
    copy_name(name, place, |byte| byte as _)?;
    Ok(arguments)
}

pub(crate) fn create_subvolume(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    let mut arguments = volume_arguments(name)?;
    ioctl_with(parent, BTRFS_IOC_SUBVOL_CREATE_V2, &mut arguments).map(drop)
}

pub(crate) fn create_snapshot(
    parent: BorrowedFd<'_>,
    name: &[u8],
    source: BorrowedFd<'_>,
    flags: u64,
) -> io::Result<()> {
    let mut arguments = volume_arguments(name)?;
    arguments.fd = i64::from(source.as_raw_fd());
    arguments.flags = flags;
    ioctl_with(parent, BTRFS_IOC_SNAP_CREATE_V2, &mut arguments).map(drop)
}

pub(crate) fn destroy_subvolume(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    let mut arguments: btrfs_ioctl_vol_args = zeroed();
    copy_name(name, &mut arguments.name, |byte| byte as _)?;
    ioctl_with(parent, BTRFS_IOC_SNAP_DESTROY, &mut arguments).map(drop)
}

pub(crate) fn subvolume_flags(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let mut flags = 0u64;
    ioctl_with(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &mut flags)?;
    Ok(flags)
}

pub(crate) fn set_subvolume_flags(fd: BorrowedFd<'_>, mut flags: u64) -> io::Result<()> {
    ioctl_with(fd, BTRFS_IOC_SUBVOL_SETFLAGS, &mut flags).map(drop)
}

pub(crate) fn subvolume_info(fd: BorrowedFd<'_>) -> io::Result<btrfs_ioctl_get_subvol_info_args> {
    let mut info: btrfs_ioctl_get_subvol_info_args = zeroed();
    ioctl_with(fd, BTRFS_IOC_GET_SUBVOL_INFO, &mut info)?;
    Ok(info)
}

/// The subvolumes directly below the one `fd` is in, as (tree id, inode of the directory that holds it),
/// from tree id `from` on, at most 255 of them; and whether there are more.
pub(crate) fn nested_subvolumes(
    fd: BorrowedFd<'_>,
    from: u64,
) -> io::Result<(Vec<(u64, u64)>, bool)> {
    let mut arguments: btrfs_ioctl_get_subvol_rootref_args = zeroed();
    arguments.min_treeid = from;
    let more = match ioctl_with(fd, BTRFS_IOC_GET_SUBVOL_ROOTREF, &mut arguments) {
        Ok(_) => false,
        // The kernel filled all 255 places and has more.
        Err(error) if error.raw_os_error() == Some(libc::EOVERFLOW) => true,
        Err(error) => return Err(error),
    };
    let found = arguments
        .rootref
        .iter()
        .take(usize::from(arguments.num_items));
    Ok((
        found.map(|entry| (entry.treeid, entry.dirid)).collect(),
        more,
    ))
}

/// The path of directory `inode`, from the root of the subvolume that `fd` is in; ends in `/` unless empty.
pub(crate) fn lookup_directory(fd: BorrowedFd<'_>, inode: u64) -> io::Result<Vec<u8>> {
    let mut arguments: btrfs_ioctl_ino_lookup_args = zeroed();
    arguments.objectid = inode;
    ioctl_with(fd, BTRFS_IOC_INO_LOOKUP, &mut arguments)?;
    Ok(arguments
        .name
        .iter()
        .map(|&c| c as u8)
        .take_while(|&byte| byte != 0)
        .collect())
}

// ---- btrfs: filesystem ----

pub(crate) fn filesystem_uuid(fd: BorrowedFd<'_>) -> io::Result<[u8; 16]> {
    let mut info: btrfs_ioctl_fs_info_args = zeroed();
    ioctl_with(fd, BTRFS_IOC_FS_INFO, &mut info)?;
    Ok(info.fsid)
}

/// The kinds of space: (flags, bytes set aside, bytes used).
pub(crate) fn space_info(fd: BorrowedFd<'_>) -> io::Result<Vec<(u64, u64, u64)>> {
    const HEADER_WORDS: usize = mem::size_of::<btrfs_ioctl_space_args>() / 8;
    const SLOT_WORDS: usize = mem::size_of::<btrfs_ioctl_space_info>() / 8;
    // Far more kinds than there are; those beyond would be left out, not written over the end.
    const SLOTS: usize = 64;
    let mut words = vec![0u64; HEADER_WORDS + SLOTS * SLOT_WORDS];
    words[0] = SLOTS as u64;
    // SAFETY: the vector is aligned as the structure of u64s is, and has the room that `space_slots`, its
    // first word, promises.
    result(unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            c_ulong::from(BTRFS_IOC_SPACE_INFO) as _,
            words.as_mut_ptr(),
        )
    })?;
    let found = usize::try_from(words[1]).unwrap_or(0).min(SLOTS);
    let slots = words[HEADER_WORDS..].chunks_exact(SLOT_WORDS).take(found);
    Ok(slots.map(|slot| (slot[0], slot[1], slot[2])).collect())
}

/// The bytes of all devices that belong to no kind of space yet.
pub(crate) fn unallocated(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let mut info: btrfs_ioctl_fs_info_args = zeroed();
    ioctl_with(fd, BTRFS_IOC_FS_INFO, &mut info)?;
    let mut sum = 0;
    for id in 1..=info.max_id {
        let mut device: btrfs_ioctl_dev_info_args = zeroed();
        device.devid = id;
        match ioctl_with(fd, BTRFS_IOC_DEV_INFO, &mut device) {
            Ok(_) => sum += device.total_bytes.saturating_sub(device.bytes_used),
            // Numbers of removed devices are not given again.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sum)
}

pub(crate) fn sync_filesystem(fd: BorrowedFd<'_>) -> io::Result<()> {
    ioctl_value(fd, BTRFS_IOC_SYNC, 0).map(drop)
}

/// Whether the kernel holds its clock for right: something keeps it in step with the world's.
pub(crate) fn clock_is_synchronised() -> io::Result<bool> {
    // Without a mode it only reads.
    let mut clock: libc::timex = zeroed();
    // SAFETY: the kernel reads and writes no more than the structure, which lives as long as the call.
    let state = result(unsafe { libc::adjtimex(&mut clock) })?;
    Ok(state != libc::TIME_ERROR && clock.status & libc::STA_UNSYNC == 0)
}

/// The buffer of a tree search: the kernel's argument structure followed by room for items.
#[derive(Debug)]
pub(crate) struct SearchBuffer(Vec<u64>);

const SEARCH_HEADER_BYTES: usize = mem::size_of::<btrfs_ioctl_search_args_v2>();

impl SearchBuffer {
    /// A buffer with room for `bytes` of items (a multiple of 8).
    pub(crate) fn new(bytes: usize) -> Self {
        Self(vec![0; SEARCH_HEADER_BYTES / 8 + bytes / 8])
    }

    /// Runs one search; returns the number of items found, which [`Self::items`] then holds.
    pub(crate) fn search(
        &mut self,
        fd: BorrowedFd<'_>,
        key: &btrfs_ioctl_search_key,
    ) -> io::Result<u32> {
        let room = (self.0.len() * 8 - SEARCH_HEADER_BYTES) as u64;
        let head = self.0.as_mut_ptr().cast::<btrfs_ioctl_search_args_v2>();
        // SAFETY: the vector is 8-byte aligned, as the structure is, and longer than it; `buf_size` is
        // what really follows the structure, and the kernel writes no more than that.
        unsafe {
            (*head).key = *key;
            (*head).buf_size = room;
            result(libc::ioctl(
                fd.as_raw_fd(),
                c_ulong::from(BTRFS_IOC_TREE_SEARCH_V2) as _,
                head,
            ))?;
            Ok((*head).key.nr_items)
        }
    }

    /// The bytes after the structure: the items, each behind a 32-byte header, in host byte order.
    pub(crate) fn items(&self) -> &[u8] {
        let words = &self.0[SEARCH_HEADER_BYTES / 8..];
        // SAFETY: any initialised u64 slice may be read as bytes.
        unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len() * 8) }
    }
}

pub(crate) fn send(
    subvolume: BorrowedFd<'_>,
    into: BorrowedFd<'_>,
    parent: Option<u64>,
    flags: u64,
) -> io::Result<()> {
    let mut sources = [parent.unwrap_or(0)];
    let mut arguments: btrfs_ioctl_send_args = zeroed();
    arguments.send_fd = i64::from(into.as_raw_fd());
    arguments.flags = flags;
    if let Some(parent) = parent {
        arguments.parent_root = parent;
        arguments.clone_sources_count = 1;
        arguments.clone_sources = sources.as_mut_ptr();
    }
    // `sources` outlives the call, which only reads it.
    ioctl_with(subvolume, BTRFS_IOC_SEND, &mut arguments).map(drop)
}

pub(crate) fn clone_file(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    ioctl_value(to, FICLONE, from.as_raw_fd() as c_ulong).map(drop)
}

pub(crate) fn clone_range(
    from: BorrowedFd<'_>,
    from_offset: u64,
    length: u64,
    to: BorrowedFd<'_>,
    to_offset: u64,
) -> io::Result<()> {
    let mut arguments = file_clone_range {
        src_fd: i64::from(from.as_raw_fd()),
        src_offset: from_offset,
        src_length: length,
        dest_offset: to_offset,
    };
    ioctl_with(to, FICLONERANGE, &mut arguments).map(drop)
}

// ---- loop devices ----

pub(crate) fn loop_free_number(control: BorrowedFd<'_>) -> io::Result<u32> {
    ioctl_value(control, LOOP_CTL_GET_FREE, 0).map(|number| number as u32)
}

pub(crate) fn loop_status(device: BorrowedFd<'_>) -> io::Result<loop_info64> {
    let mut info: loop_info64 = zeroed();
    ioctl_with(device, LOOP_GET_STATUS64, &mut info)?;
    Ok(info)
}

pub(crate) fn loop_configure(
    device: BorrowedFd<'_>,
    image: BorrowedFd<'_>,
    name: &[u8],
    flags: u32,
) -> io::Result<()> {
    let mut config: loop_config = zeroed();
    config.fd = image.as_raw_fd() as u32;
    config.info.lo_flags = flags;
    let room = config.info.lo_file_name.len() - 1;
    for (place, &byte) in config.info.lo_file_name[..room].iter_mut().zip(name) {
        *place = byte;
    }
    ioctl_with(device, LOOP_CONFIGURE, &mut config).map(drop)
}

// ---- locks and processes ----

pub(crate) fn flock(fd: BorrowedFd<'_>, operation: c_int) -> io::Result<()> {
    // SAFETY: flock takes two integers.
    result(unsafe { libc::flock(fd.as_raw_fd(), operation) }).map(drop)
}

/// The two sides of a fork.
#[derive(Debug)]
pub(crate) enum Fork {
    Child,
    Parent(i32),
}

/// Forks. In a program with threads the child may only do what cannot wait for one of them; see
/// `namespace::fork_child`, the only caller.
pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: fork itself is sound; what the child may touch is the caller's duty, as documented there.
    match result(unsafe { libc::fork() })? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid)),
    }
}

/// Ends the process at once, running no destructor and no exit handler of the parent's.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes an integer and does not return.
    unsafe { libc::_exit(code) }
}

pub(crate) fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers; a non-negative answer is a new descriptor that nobody else owns.
    let code = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = result(code as c_int)?;
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Closes every descriptor but the three standard ones and those in `kept`.
///
/// Only for a forked child that is about to go its own way: values of the parent that own a closed
/// descriptor are never dropped in it.
pub(crate) fn close_all_but(kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut numbers: Vec<u32> = kept.iter().map(|fd| fd.as_raw_fd() as u32).collect();
    numbers.push(2);
    numbers.sort_unstable();
    numbers.push(u32::MAX);
    for pair in numbers.windows(2) {
        let (first, end) = (pair[0].saturating_add(1), pair[1]);
        if first >= end {
            continue;
        }
        // SAFETY: takes integers; see above for the owners of what is closed.
        result(unsafe { libc::syscall(libc::SYS_close_range, first, end - 1, 0) } as c_int)?;
    }
    Ok(())
}
