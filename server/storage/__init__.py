"""Storage: where cases, their events and their bytes rest. Knows the domain, and nothing above it.

    database   SQLite through SQLAlchemy async: one writer (BEGIN IMMEDIATE), many readers
    models     the tables, as data
    migrations the same tables, step by step (alembic); a test holds the two against each other
    codec      frozen domain values to plain JSON values and back
    vault      two keys per case, wrapped by the master secret, in a file of their own
    cipher     AES-256-GCM with a label
    objects    blobs: encrypted, named by the digest of their ciphertext, durable at once
    cases      the one door for change: state and events of a case in one transaction
    outbox     the events waiting for the ledger, in order, and their anchors
    recordings takes, segments, gaps
    erasures   what is to be destroyed, or was, and what is left of it
    registers  certificate numbers (gapless), the one signed file of an intent, the status list
    desk       what the desk and the verifier look things up by

What is personal stands encrypted under the case's keys: erasing a case is destroying its key.
"""
