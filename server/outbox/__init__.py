"""Messages to people outside: one-time codes, invitations, certificates that are ready.

The only outbox so far is the console's (`console.py`), a stand-in: it prints each message and keeps
it in `outbox.jsonl`, and reaches nobody. SMTP and SMS come beside it when a real office needs them.
Services get `send` as a callable and never import this room.
"""
