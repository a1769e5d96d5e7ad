"""An append-only evidence ledger: hash-chained, Merkle-hashed, signed. Usable without the server.

    keys = LogKeys.generate("office.example/ledger")
    log = await Log.open(SqliteStore(path), keys=keys, guard=guard, clock=clock)
    receipt = await log.append(Submission("journal", event, case, {"kind": "evidence"}))
    sealed = await log.seal(receipt.index)

The manual follows.
"""
