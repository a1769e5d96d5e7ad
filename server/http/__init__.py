"""The rim: HTTP and WebSocket over the services.

    application   rooms of routes behind one border
    routes        how a route is declared; nothing is open by default
    middleware    who calls, in which language, may they; errors into problem+json
    messages      the one catalogue of refusals (messages.toml), in two languages
    problems      Refusal, and how a refusal is answered
    limits        token buckets
    language      which language a reader wants
    openapi       the description of the routes, from their declarations
    uploads       files at the door; inspection and sandbox look inside, in a child process
    public        what anybody may read: office, matters, trust, revocations, ledger
    logins        applicants by a code, staff by password and TOTP
    pages         the built web application

Rooms get services handed in and know neither databases nor media; `server.app` composes them.
"""
