"""The domain: what a remote notarization is, as pure values and functions (standard library only).

Every command is a function `(value, act, ...) -> (value, events)`: it checks its guards, raises
`DomainError(code, **params)` or returns the new frozen value with the events that say what
happened. No command reads a clock, a file, or a random source; `events.Act` carries who, when, and
the id the event will have.

    errors       the codes a person may meet, and what sort of refusal each is
    events       Act, Event
    participant  roles, staff, licences, applicants
    rules        a rule pack (rules/*.toml): one matter as data
    calendar     the office's days, working days
    fields       one form field: what may stand in it, and what is wrong with what does
    resident_id  GB 11643 check digit
    case         the case 案件: its value, its states, which may follow which, its clock
    application  what the applicant does: fill, submit, consent, book, check the device, withdraw
    handling     what the desk does: precheck, supplement, accept, decline, refuse, terminate
    approval     draft, certify, claims of the approver, return, approve, issue, deliver
    retention    legal hold, term, and what stays of a case once its evidence is destroyed
    session      the session 会见: its value, what its current step needs
    course       opened, interrupted within grace, resumed, broken off, closed, sealed
    steps        what happens in the nine steps 环节
    record       the interview record 询问笔录
    evidence     what each step needs, and what has been seen of it
    certificate  facts of the certificate 公证书, number, digest of the intent
    canonical    one way to turn facts into bytes
"""
