"""What an smscd script imports: ``from siphon import smpp, cache, log, receipts``."""

from siphon import cache, log, metrics, outbox, receipts, smpp, timer

__all__ = ["cache", "log", "metrics", "outbox", "receipts", "smpp", "timer"]
