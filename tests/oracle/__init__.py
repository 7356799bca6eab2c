"""Independent judges: they read trees and databases by themselves and import nothing of the product."""
