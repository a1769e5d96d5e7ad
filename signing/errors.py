"""What can go wrong in this package, as one tree.

    SigningError                 everything below; the message says what happened, what to do
    |- KeyFileError              a private key cannot be read: absent, wrong passphrase, exposed
    |- OfficeError               the office's directory is unusable, or was made for another address
    |- RequestError              a certificate request we do not answer: malformed, weak, not proven
    |- CertificateError          a certificate does not lead to a trusted root, or not at that time
    |  |- RevokedError           it does, and was taken back
    |  `- UnknownIssuerError     it is whole, and leads to nobody that is trusted here
    |- SignatureError            a signature does not hold over these bytes
    |- TimestampError            a timestamp token does not hold, or an authority gave none
    |  `- TimestampRejected      the authority answered, and refused (carries the reason)
    |- DocumentError             a PDF cannot be signed: not readable, no such field, already signed
    |- TrustError                a trust.json cannot be relied upon: malformed, or of no use
    |- StatusError               a status list does not hold, or does not reach so far
    `- BundleError               an evidence bundle cannot be made, or is not one

Verification (`verify_pdf`, `verify_bundle`) reports instead of raising.
"""


class SigningError(Exception):
    """The root of this package's errors."""


class KeyFileError(SigningError):
    """A private key cannot be read."""


class OfficeError(SigningError):
    """The office's directory is unusable, or was made for another address."""


class RequestError(SigningError):
    """A certificate request is refused."""


class CertificateError(SigningError):
    """A certificate is not good for this use at this time."""


class RevokedError(CertificateError):
    """A certificate was taken back."""


class UnknownIssuerError(CertificateError):
    """A certificate leads to nobody that is trusted here.

    It proves nothing. Nor does it disprove anything: a newer trust.json may name its root. `who`:
    the subject of the certificate (RFC 4514).
    """

    def __init__(self, who: str, missing: str) -> None:
        super().__init__(f"no trusted issuer for {missing} is at hand")
        self.who = who


class SignatureError(SigningError):
    """A signature does not hold."""


class TimestampError(SigningError):
    """A timestamp token does not hold, or none could be had."""


class TimestampRejected(TimestampError):
    """The authority answered with a rejection.

    `failure` is the name of the PKIFailureInfo bit (RFC 3161 2.4.2), or "unspecified".
    """

    def __init__(self, failure: str, text: str) -> None:
        super().__init__(f"timestamp refused ({failure}): {text}")
        self.failure = failure
        self.text = text


class DocumentError(SigningError):
    """A PDF cannot be signed."""


class TrustError(SigningError):
    """A trust.json is malformed, or names nothing to trust.

    `reason` is a key, and `detail` what it speaks of, for a reader with words of their own.
    """

    def __init__(self, message: str, *, reason: str, **detail: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.detail = detail


class StatusError(SigningError):
    """A status list does not hold, or has no place for this certificate."""


class BundleError(SigningError):
    """An evidence bundle cannot be made from this, or this is not one."""
