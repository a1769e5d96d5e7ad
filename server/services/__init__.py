"""The services: what people and machines may do with a case, each in one transaction.

Every method checks who asks, lets the domain decide, writes state and events together
(`storage.cases.CaseFiles`), and returns views: plain JSON values in the HTTP API's shapes.
Refusals are `server.domain.errors.DomainError(code, field=..., **params)`; sentences are made at
the HTTP border from `code` and `params` (a `Problem` inside a view is {"code", "field", "params"}).
`language` is "zh-CN" or "en" and concerns words in views only. `person` is `Applicant` or `Staff`
(server.domain.participant). All methods are async unless marked (sync). Times are ms UTC.

Built by `assemble.assemble(...) -> Services`, one attribute each:

intake: Intake - the applicant's draft
  create(applicant, *, matter, language) -> Case
  cases_of(applicant, *, language) -> {"cases": [CaseSummary]}
  case(person, case_id, *, language) -> Case                       (404 `case-unknown` for others)
  fill(applicant, case_id, *, field, value) -> {"form", "problems"}
  add_paper(applicant, case_id, *, kind, name, media_type, content: bytes) -> Paper
  paper(person, case_id, paper_id) -> Content(content, media_type, name)
  submit(applicant, case_id, *, language) -> Case
  consent(applicant, case_id, consent, *, given, text_sha256, language) -> Case
  withdraw(applicant, case_id, *, reason, language) -> Case
  timeline(person, case_id, *, language) -> {"entries": [...]}
  matters(language-free, sync) -> {"matters": [...]};  matter(matter_id, sync) -> {...}

appointments: Appointments
  slots(applicant, case_id) -> {"slots": [{"at", "notary"}]}       (the first is now)
  book(applicant, case_id, *, at, language) -> Case
  check_device(applicant, case_id, *, report, language) -> Case
  invitation(token, applicant) -> {"case_id", "session_at"}

reception: Reception - the desk
  queue(staff, *, filter, language) -> {"cases": [...]}            (filter all|mine|due|today)
  case_file(staff, case_id, *, language) -> Case + desk parts
  precheck(staff, case_id, *, language) | accept(.., conflict_checked) | decline(.., reason)
  supplement(.., text) | refuse(.., reason) | terminate(.., reason)  -> the desk's Case

ceremony: Ceremony - the session
  open(staff, case_id, *, language) -> SessionView
  view(person, session_id, *, language) -> SessionView             (role-filtered)
  role(person, session_id) -> "notary" | "applicant"               (404 / 409 `session-has-notary`)
  confirm(staff, sid, *, key, words, language)       complete(staff, sid, *, number, language)
  instruct(staff, sid, *, text, language)            understood(applicant, sid, *, language)
  speak(staff, sid, *, who, key, text, language)     correct(staff, sid, *, number, text, language)
  dispute(applicant, sid, *, number, text, language)
  turn_page(staff, sid, *, number, language)         page_seen(person, sid, *, number)
  flag(staff, sid, *, language)                      interrupt(staff, sid, *, reason, language)
  resume(staff, sid, *, language)    within grace: the step again; else view of the NEW session
  abort(staff, sid, *, reason, language)             leave(applicant, sid, *, language)
  lost(sid, *, role, reason, since)  somebody's connection is gone (a machine tells it)
  close(staff, sid, *, totp, language)               all -> SessionView unless said

recordings: Recordings - what the recorder tells, and gives back
  cipher(sid) -> Cipher(.encrypt(bytes, label), .decrypt(bytes, label))     for Room and takes
  take_started(sid, *, participant, take, at)
  take_ended(sid, *, participant, take, at, reason)
  segment(Segment)     gap(Gap)                      (domain.evidence; participant = role)
  clock_offset(sid, *, offset_ms, rtt_ms)
  allowed(staff, sid) -> case id                     (logs the access; then stream the take)

identity: IdentityDesk
  document(applicant, sid, *, side, image: bytes, language) -> SessionView  (front|back|main)
  capture(staff, sid, *, what, language)    (document-front|document-back|document-main|face)
  registry(staff, sid, *, language)         decide(staff, sid, *, accepted, reason, language)
  finding(sid, finding)                     a watcher's hint (identity.findings.Finding)
  picture(staff, sid, picture_id) -> Content

signatures: Signatures - the applicant's key, and what is signed with it
  key(applicant, sid, *, csr_pem) -> {"certificate_pem", "chain_pem"}
  prepare(applicant, sid, *, act, strokes) -> {"id", "act", "content_url", "content_sha256",
                                               "signed_attrs_b64"}
  complete(applicant, sid, signing_id, *, signature_b64, language) -> SessionView
  content(person, sid, signing_id) -> Content

documents: Documents - the power of attorney
  pdf(person, case_id) -> Content                    page(person, case_id, number) -> Content

approval: Approval
  draft(staff, case_id, *, language) -> desk's Case  draft_facts(staff, case_id) -> {...}
  certify(staff, case_id, *, totp, facts_sha256, language) -> desk's Case
  queue(staff, *, language) -> {"cases": [...]}      review(staff, case_id, *, language) -> {...}
  judge(staff, case_id, number, *, verdict, reason, language) -> review
  send_back(staff, case_id, *, reasons, language) -> desk's Case
  approve(staff, case_id, *, totp, facts_sha256, language) -> desk's Case   (issue goes on as a job)

sealing: Sealing - durable steps, each harmless to repeat (see `server.jobs`)
  seal_session(sid)      CLOSED -> SEALED     issue(case_id)   APPROVED -> ISSUED
  deliver(case_id)       ISSUED -> DELIVERED  pending() -> tuple[Job, ...] what waits at start

delivery: Delivery
  receipt(applicant, case_id) -> dict         copy(applicant, case_id) -> Content (zip)
  certificate(person, case_id) -> Content     bundle(person, case_id) -> Content
  share(applicant, case_id) -> {"code", "url"}
  rate(applicant, case_id, *, stars, words, language) -> Case

verification: Verification - for everybody, no account
  number(number) -> {...}    code(code, *, language) -> {...}    bundle(code) -> Content
  status_list() -> dict      ledger_view(): for signing.verify_pdf
  pdf_sha256_known(sha256) -> number | None

archive: Archive
  recover() -> tuple of session ids    open sessions of a dead process: interrupted, gap written
  keep(sid)                            a sealed session's takes: clusters into objects, file removed
  pending() -> tuple[Job, ...]         sealed sessions that still have take files
  stream(sid, participant, take)       -> async iterator of decrypted clusters, objects or file

Told to others: `files.subscribe(callback(case_id, session_id | None))` after every committed change
(sync callbacks), `journal.subscribe(callback(Anchored))` after every anchored event.
"""
