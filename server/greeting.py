"""What the server prints when it is ready: where it is, who can come in, and what is not real."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import pyotp
import segno
from rich.console import Console
from rich.panel import Panel

from server.services.accounts import NewStaff

_WARNING_ZH = (
    "演示用替身，不具有任何法律效力：证书机构、人口登记库、短信发件箱都是模拟的；"
    "登录密码由主密钥推算。"
)
_WARNING_EN = (
    "STAND-INS, no legal effect whatever: the certificate authority, the population registry and "
    "the outbox are simulated; the logins above follow from the master secret."
)


@dataclass(frozen=True, slots=True)
class Opened:
    """What there is to say about a running server. `now` is ms UTC, `url` the local address."""

    url: str
    public_url: str
    data: str
    name_zh: str
    name_en: str
    root_fingerprint: str
    ledger_size: int
    people: Sequence[NewStaff]
    now: int
    authority: str = ""  # SHA-256 of what phones have to trust, with --tls


def greet(console: Console, office: Opened) -> None:
    """Print the address, the demo logins and, loudly, the stand-ins."""
    console.print()
    console.print(f"[bold]{office.name_zh}[/]  {office.name_en}")
    console.print(f"  网址 address        [bold]{office.url}[/]", highlight=False)
    if office.public_url != office.url:
        console.print(f"  对外 public          {office.public_url}", highlight=False)
    console.print(f"  数据 data           {office.data}", highlight=False)
    console.print(f"  账本 ledger entries  {office.ledger_size}", highlight=False)
    console.print(f"  根证书 root SHA-256   {_grouped(office.root_fingerprint)}", highlight=False)
    if office.authority:
        _greet_phones(console, office)
    console.print()
    console.print(f"[bold]工作人员 staff[/]: {office.url}/desk", highlight=False)
    for person in office.people:
        code = pyotp.TOTP(person.totp_secret).at(office.now // 1000)
        console.print(
            f"  [bold]{person.login:<10}[/] 密码 password [bold]{person.password}[/]  "
            f"动态码 code now [bold]{code}[/]\n"
            f"             TOTP secret {person.totp_secret}\n"
            f"             {person.staff.name_zh} {person.staff.name_en}, {person.staff.role}",
            highlight=False,
        )
    console.print("  每个动态码只能用一次。 Each code works once; new ones every 30 s.")
    console.print(
        f"[bold]申请人 applicant[/]: {office.url} - 任意11位手机号，验证码显示在本窗口。"
        " Any Chinese mobile number (13800000001); the code is printed here.",
        highlight=False,
    )
    console.print()
    console.print(
        Panel(
            f"[bold]{_WARNING_ZH}\n{_WARNING_EN}[/]", title="注意 WARNING", border_style="bold red"
        )
    )
    console.print("  Ctrl-C 停止 stops. 数据保留 the data stays.")


def _greet_phones(console: Console, office: Opened) -> None:
    """Print the address to scan, and what the phone will say about it."""
    drawn = io.StringIO()
    segno.make(office.url, error="m").terminal(drawn, compact=True)
    console.print()
    console.print("[bold]手机 phones[/]: 扫码打开，手机须在同一网络。 Scan, on the same network.")
    console.print(drawn.getvalue(), highlight=False, markup=False)
    console.print(
        "  手机会说“连接不是私密连接”：证书是本机自己做的。装上本机的证书就不再说，"
        f"请先核对下面的指纹：{office.url}/local-authority.cer\n"
        "    iPhone：下载后到“设置 › 已下载描述文件”安装，"
        "再到“通用 › 关于本机 › 证书信任设置”打开。\n"
        "    安卓：下载后到“设置 › 安全 › 加密与凭据 › 安装证书 › CA 证书”。\n"
        "  The phone will say that the connection is not private: this machine made the "
        "certificate itself. Install its authority from that address (compare the fingerprint "
        "first), and it will not.\n"
        "    iPhone: Settings > Profile Downloaded > Install, then General > About > Certificate "
        "Trust Settings.\n"
        "    Android: Settings > Security > Encryption & credentials > Install a certificate > CA.",
        highlight=False,
    )
    console.print(f"  指纹 SHA-256  {_grouped(office.authority)}", highlight=False)


def _grouped(digest: str) -> str:
    return " ".join(digest[at : at + 8] for at in range(0, len(digest), 8))
