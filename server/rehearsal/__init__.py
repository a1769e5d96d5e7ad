"""The rehearsal: one whole case, played by scripted people against a fresh office.

`farseal rehearse --out DIR` starts an office of its own on loopback, lets an applicant, a notary
and an approver (all made up) do everything that people do through HTTP, WebSocket and real WebRTC,
and leaves in DIR what a third party would be given, to be checked with anybody's own tools.

    office.py      the fresh office: one `farseal serve` in its own process
    logins.py      what the office prints about logins
    visitor.py     one person's browser: cookies, problems, one WebSocket
    signer.py      the applicant's key, which never leaves its owner
    face.py        a synthetic face      voice.py      its voice      specimen.py   its card
    footage.py     what the cameras show      peer.py       the WebRTC participant
    cast.py        who they are               story.py      the case, act by act
    play.py        the whole of it            leavings.py   what is left in DIR

The rehearsal uses no back door: it knows only what the pages know, and the demo logins and the
console outbox that a person starting the office sees too.
"""
