"""A page that runs a bundle in the browser."""

from myqasr_fx.web.page import WebPage, write_page

__all__ = ["WebPage", "write_page"]
