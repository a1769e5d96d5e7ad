"""The rehearsal: one whole case, played by scripted people against a fresh office.

`farseal rehearse --out DIR` starts an office of its own on loopback, lets an applicant, a notary and
an approver (all made up) do everything that people do through HTTP, WebSocket and real WebRTC, and
leaves in DIR what a third party would be given, so that anybody can check it with their own tools.

    office.py      the fresh office: one `farseal serve` in its own process
    visitor.py     one person's browser: cookies, problems, one WebSocket
    signer.py      the applicant's key, which never leaves its owner
    face.py        the synthetic face on camera       specimen.py   the specimen identity card
    peer.py        the WebRTC participant             story.py      the case, act by act
    leavings.py    what is left in DIR

The rehearsal uses no back door: it knows only what the pages know, and the demo logins and the
console outbox that a person starting the office sees too.
"""
