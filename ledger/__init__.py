"""An append-only evidence ledger: hash-chained, Merkle-hashed, signed. Usable without the server.

Write:

    keys = LogKeys.generate("office.example/ledger")
    log = await Log.open(SqliteStore(path), keys=keys, guard=guard, clock=clock)
    receipt = await log.append(Submission("journal", event, case, {"kind": "evidence"}))
    sealed = await log.seal(receipt.index)

`append` promises that the entry survives a crash; it waits for one fsync and nothing else.
`seal` promises that others can check it: inclusion proof, signed checkpoint, the witnesses'
cosignatures, timestamp token. A certificate rests on seals only. A repeated `append` of the same
event gives the same receipt, so after any error, crash or doubt the right thing to do is to append
again.

Verify, with nothing but what was handed over and keys that were known before:

    proof = TlogProof(sealed.index, sealed.inclusion, sealed.checkpoint)
    proof.verify(sealed.leaf, [Verifier.parse(vkey) for vkey in trusted])
    verify_case(leaves, case=case, count=count)

Mirror:

    mirror(fetch, directory, verifiers)
    report = audit(directory, verifiers)
    view = Mirror.at(directory).open(verifiers)
    register = view.chain(register_case)

What is signed, in the order a reader needs it (each imports only what stands above it):

    errors     what can go wrong, as one tree
    merkle     hashing, the growing edge, proofs and their verification
    entry      submissions, canonical JSON, leaves, commitments
    note       signed notes, verifier keys, checkpoints
    proof      a proof of inclusion to carry away; a case's completeness
    policy     which witnesses are enough under a checkpoint
    tiles      the log as files: paths, bundles, mirrors
    fork       a proof that a log signed two histories

    sm2        a third line under checkpoints, with an optional extra

What anybody with a copy does:

    mirror     copying a log, checked file by file    kept      the checkpoints of a mirror
    audit      recomputing all of a mirror            replay    a stretch of it, in its own process
    stored     which tile or entry was changed        bodies    canonical bodies, told fast

Who else must say so:

    witness    the protocol of witnesses, both sides      witness_store  what a witness remembers
    cosigning  how a log asks them                        sealing        what a seal waits for

What they said dates the entries around it:

    anchors    tokens and cosignatures, logged back
    between    not before, not after, and who says so

How it is kept:

    clock      times that never fall        guard      the largest tree ever signed, elsewhere
    store      the tables, insert-only      read       what a log shows to everybody
    sqlite     them in one file             postgres   them in PostgreSQL, where one process leads
    shared     a log of several processes   mailbox    how they hand the leader what they have
    following  the log as they see it       errands    what they have the leader do
    recovery   starting is recovering       sequencer  the one writer
    log        the asyncio face             snapshot, fsck   recompute all of it
    scrub      the same, slice by slice, while it is in use
    lock       one process writes it
    diagnosis  why a log does not start     repair     writing a damaged database anew

The first five need the standard library and `cryptography`; a verifier is no more than those.
Bytes: docs/ledger-format.md.
"""
