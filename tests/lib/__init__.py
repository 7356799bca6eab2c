"""The harness: isolation, bases, pools, the command's wrapper.  Imports nothing of the product."""
