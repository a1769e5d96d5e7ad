"""Keys, certificates, timestamps, signatures, and what makes a notarial PDF believable for decades.

Manual, in the order of a case:

    errors        what can go wrong, as one tree
    keys          private keys at rest: encrypted PKCS#8, 0600; Secret, which does not print
    profiles      who the office is, and its kinds of certificate as data
    ca            open_office: the first call founds root, issuing authority, seal, notaries, TSU,
                  OCSP responder and ledger keys; later calls open and renew
    certificates  building X.509, and following a certificate to a root
    revocation    the register of certificates, CRLs, OCSP
    tsa, tokens   time stamping authority (RFC 3161), and reading its tokens
    tsa_client    asking other people's authorities, with failover
    cades         detached signatures: the applicant's, made in the browser, and the office's
    pades         signatures in PDFs: the applicant's on the document, the office's on the 公证书
    seal          the round seal and handwriting as vectors
    bundle, trust, status, report, verify_pdf, verify_bundle
                  the evidence bundle, and checking all of it with nothing but trust.json

This package may import `ledger` and never `server`. Times are milliseconds since the epoch; the
clock is handed in. Nothing here opens a network connection: what must be fetched is handed in too.
"""
