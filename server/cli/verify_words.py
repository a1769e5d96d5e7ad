"""The words of `farseal verify`, in both languages: what each check looked at, what it found.

They never say more than was checked: "not revoked as of", never "valid now".
"""

import os
from collections.abc import Mapping
from typing import Literal

Language = Literal["zh-CN", "en"]
Words = Mapping[Language, str]


def words(zh: str, en: str) -> Words:
    return {"zh-CN": zh, "en": en}


def spoken() -> Language:
    """The language that the environment asks for."""
    wanted = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "zh-CN" if wanted.startswith("zh") else "en"


VERDICTS: Mapping[str, Words] = {
    "valid": words(
        "真实，未被改动；截至 {as_of} 没有撤销。",
        "Genuine and unchanged; not revoked as of {as_of}.",
    ),
    "revoked": words(
        "文件本身是真的，但公证书已被撤销（截至 {as_of}）。请不要据此办理。",
        "The file is genuine, but the certificate was revoked (as of {as_of}). Do not rely on it.",
    ),
    "invalid": words(
        "没有通过核验：文件被改动过，或不是这家公证处出具的。请不要使用。",
        "Not verified: the file was changed, or this office did not make it. Do not use it.",
    ),
    "indeterminate": words(
        "无法确认：没有发现改动，但缺少核验所需的东西。",
        "Cannot be confirmed: nothing wrong was found, but something needed is not at hand.",
    ),
}

CHECKS: Mapping[str, Words] = {
    "limits": words("文件大小和种类", "Size and kind of the file"),
    "archive": words("证据包逐字节符合唯一格式", "The bundle is in its one form, byte for byte"),
    "manifest": words("包内每个文件与清单相符", "Every file in the bundle matches the manifest"),
    "trust": words("以谁为准（信任文件）", "Whom you chose to trust"),
    "signature": words("清单由账本钥匙签名", "The manifest is signed by the ledger's key"),
    "seal": words("公证处盖章和时间戳", "The office's seal and timestamp"),
    "checkpoint": words(
        "账本检查点的签名和时间戳", "The ledger's checkpoint: signatures, timestamp"
    ),
    "inclusion": words("每个条目都在账本里", "Every entry is in the ledger"),
    "completeness": words("会见的条目一条不少", "No entry of the session is missing"),
    "register": words("文件指纹登记在公证书登记册", "The register holds the file's digest"),
    "number": words("编号只用过一次", "The number was used once"),
    "pdf": words("公证书上的签名和格式", "The certificate's signatures and form"),
    "signed": words("申请人亲自签署的文件", "What the applicant signed"),
    "disclosures": words(
        "披露的内容和回执与账本相符", "Disclosed items and receipts match the ledger"
    ),
    "status": words("没有撤销或作废", "Not revoked or void"),
}

FOUND: Mapping[str, Words] = {
    "limits": words("{size} 字节，SHA-256 {sha256}", "{size} bytes, SHA-256 {sha256}"),
    "archive": words("{files} 个文件", "{files} files"),
    "manifest": words("{files} 个文件、{items} 项内容", "{files} files, {items} items"),
    "trust": words("{name_zh}，根证书指纹 {root}", "{name_en}, root {root}"),
    "signature": words("账本 {origin}", "ledger {origin}"),
    "seal": words("盖章于 {at}", "sealed at {at}"),
    "checkpoint": words(
        "共 {size} 条，时间戳 {timestamped_at}", "{size} entries, timestamped {timestamped_at}"
    ),
    "inclusion": words("{entries} 条，账本共 {size} 条", "{entries} entries of {size}"),
    "completeness": words(
        "会见 {session_entries} 条（第 {first} 到 {last}），封存于 {sealed_at}",
        "{session_entries} entries of the session ({first} to {last}), sealed {sealed_at}",
    ),
    "register": words("账本第 {index} 条，SHA-256 {sha256}", "entry {index}, SHA-256 {sha256}"),
    "number": words(
        "{number}；登记册共 {numbers} 个编号", "{number}; {numbers} numbers in the register"
    ),
    "pdf": words("文件时间戳 {archived_at}", "timestamped as a whole {archived_at}"),
    "signed": words("由会见时生成的一次性证书签署", "signed with the certificate of the session"),
    "disclosures": words(
        "{opened} 项内容（其中 {sm3} 项另以 SM3 核对）、{receipts} 张回执",
        "{opened} items ({sm3} of them by SM3 too), {receipts} receipts",
    ),
    "status": words("截至 {as_of} 没有撤销", "not revoked as of {as_of}"),
}

REASONS: Mapping[str, Words] = {
    "no-trust": words(
        "没有给出信任文件：用 --trust 指定从公证处官网或纸面取得的 trust.json",
        "no trust.json was given: name one with --trust, taken from the office's site or on paper",
    ),
    "no-ledger": words(
        "手边没有账本：用 --ledger 指定账本镜像的目录或网址，或核验证据包",
        "no ledger at hand: name a mirror with --ledger DIR|URL, or check the bundle instead",
    ),
    "no-mirror": words(
        "--ledger 指定的镜像读不到：{error}",
        "the mirror that --ledger names cannot be read: {error}",
    ),
    "mirror": words(
        "--ledger 指定的镜像本身不成立，它说的不算数；请换一份（{error}）",
        "the mirror that --ledger names does not hold, so it says nothing; take another ({error})",
    ),
    "ledger-too-old": words(
        "镜像比公证书旧（镜像截至 {as_of}）", "the mirror is older than the certificate ({as_of})"
    ),
    "status-too-old": words("状态太旧（截至 {as_of}）", "the status is too old (as of {as_of})"),
    "status-not-logged": words(
        "证据包里的状态表（截至 {as_of}）没有登记在账本里：请用 --status 另取一份",
        "the bundle's own status list (as of {as_of}) is not in the ledger: name another, --status",
    ),
    "timestamp-expired": words(
        "时间戳证书已于 {until} 年到期，需要续期", "the timestamp's certificate ended in {until}"
    ),
    "not-reached": words(
        "前面的核对没有通过，这一项没有做", "not checked, for one before it did not hold"
    ),
    "unexpected": words("无法读取：{error}", "could not be checked: {error}"),
    "crashed": words("文件使核验程序中断", "the file broke the verifier: could not be checked"),
    "time": words("核验超时", "checking took too long: could not be checked"),
    "unknown-kind": words("不是公证书 PDF，也不是证据包", "neither a certificate PDF nor a bundle"),
    "not-a-pdf": words("不是可核验的 PDF", "not a PDF that can be checked"),
    "not-canonical": words(
        "不符合唯一格式，有字节被改动", "not in its one form: a byte was changed"
    ),
    "digest": words("与清单不符：{files}", "does not match the manifest: {files}"),
    "commitment": words("内容与承诺不符", "an item is not what was committed to"),
    "signature": words("签名不成立：{error}", "a signature does not hold: {error}"),
    "other-office": words("属于另一家公证处或另一本账", "of another office or ledger"),
    "unknown-authority": words(
        "时间戳出自信任文件里没有的机构（{who}），无从核对：请向公证处取新的 trust.json",
        "the timestamp is of an authority that this trust file does not name ({who}): it cannot be "
        "checked; take a newer trust.json from the office",
    ),
    "timestamp": words("时间戳不成立：{error}", "a timestamp does not hold: {error}"),
    "timestamp-stripped": words("缺少时间戳", "a timestamp is missing"),
    "key-revoked": words("签名钥匙当时已被吊销", "the signing key had been revoked"),
    "checkpoint": words("检查点不成立：{error}", "the checkpoint does not hold: {error}"),
    "key-retired": words(
        "签名的钥匙已停用：{error}", "signed by keys that had been retired: {error}"
    ),
    "after-leak": words(
        "这本账的钥匙已泄露，检查点的时间戳（{timestamped_at}）晚于公证处声明的时刻："
        "谁签的已无从分辨，除非它就是账本最后的检查点",
        "this ledger's keys have leaked, and the checkpoint was timestamped ({timestamped_at}) "
        "after the moment the office has named: it could be anybody's, unless it were the last",
    ),
    "unwitnessed": words(
        "签过检查点的见证方不够（{signed} 个）：别人可能看到过另一本账",
        "too few witnesses have signed the checkpoint ({signed}): others may have seen another",
    ),
    "inclusion": words("第 {index} 条不在账本里", "entry {index} is not in the ledger"),
    "other-chain": words("第 {index} 条属于别的案件", "entry {index} belongs to another case"),
    "entry-missing": words("缺少条目：{error}", "an entry is missing: {error}"),
    "no-session-seal": words("没有会见的封存条目", "the session's seal entry is missing"),
    "count": words("条目数与封存时不符", "the number of entries is not what the seal says"),
    "not-in-register": words(
        "登记册里没有这个指纹：文件被改动过或不是本处出具",
        "the register does not hold this digest: the file was changed, or is not the office's",
    ),
    "other-certificate": words("登记的是另一份文件", "the register holds another file"),
    "other-register": words("不是本处唯一的登记册", "not in the office's one register"),
    "number-twice": words(
        "编号 {number} 用过 {times} 次", "number {number} was used {times} times"
    ),
    "revoked": words("已撤销", "revoked"),
    "status": words("状态表不成立：{error}", "the status list does not hold: {error}"),
    "no-signatures": words("没有签名", "there are no signatures"),
    "other-fields": words("签名栏与公证书不符", "the signature fields are not a certificate's"),
    "extra-revision": words("签名之外多了改动", "there is a revision besides the signatures"),
    "bytes-after-the-end": words("文件末尾多了内容", "there are bytes after the end"),
    "padding": words("签名空白处被写入内容", "something was written into a signature's padding"),
    "byte-range": words("签名没有覆盖整个文件", "a signature does not cover what it must"),
    "not-certified": words("缺少认证签名", "the certifying signature is missing"),
    "encrypted": words("文件被加密", "the file is encrypted"),
    "times-out-of-order": words("签名时间的先后不对", "the signatures' times are out of order"),
    "second-opinion": words("签名之后内容被改动", "the content was changed after signing: {found}"),
    "receipt": words("回执第 {index} 条对不上", "the receipt for entry {index} does not match"),
    "disclosure": words("披露的 {name} 与账本不符", "the disclosed {name} does not match"),
    "no-document": words("缺少签署的文件", "the document that was signed is missing"),
    "version": words("不认识的版本", "a version this program does not know"),
    "other-files": words("多了或少了文件", "there are files too many or too few"),
    "limits": words("条目过多", "more entries than can be checked"),
    "too-large": words("文件太大", "the file is too large"),
    "several-applicants": words("签署的不是同一个人", "not all signed by one person"),
    "other-session": words(
        "签署证书不是为这次会见签发的", "a signer's certificate was not made for this session"
    ),
    "recording": words(
        "录像片段或中断记录与账本不符", "segments or gaps are not those the ledger holds"
    ),
    "other-content": words(
        "{name} 不是会见时记入账本的内容", "{name} is not what the ledger was told in the session"
    ),
    "no-intent": words(
        "登记册里没有先于签署的意图", "the register holds no intent from before the signing"
    ),
    "sm3-not-opened": words(
        "{name} 在账本里有 SM3 承诺，证据包没有披露它的 SM3",
        "the ledger commits to {name} by SM3 too, but the bundle does not open that",
    ),
    "no-receipts": words("没有回执", "there are no receipts"),
}

NOTES: Mapping[str, Words] = {
    "demo-office": words("演示公证处：没有法律效力", "demo office: no legal effect"),
    "no-witness": words("没有独立见证方签过检查点", "no witness has signed the checkpoint"),
    "keys-followed": words(
        "账本换过钥匙：新钥匙由旧钥匙签过的条目证明；请更新信任文件",
        "the ledger's keys have changed since this trust.json: the old ones prove the new; fetch "
        "it again",
    ),
    "own-time": words("时间由公证处自己的时间戳服务给出", "the time is the operator's own"),
    "own-time-signatures": words(
        "签名的时间由公证处自己的时间戳服务给出", "the signatures' times are the operator's own"
    ),
    "status-old": words(
        "状态已是一天以前的：之后有没有撤销，这里看不出。请查公证处网站，或用较新的账本或状态表再核对",
        "the standing is more than a day old: it does not show what was revoked since. Ask the "
        "office's site, or check again with a newer ledger or status list",
    ),
    "sm2-unchecked": words(
        "检查点的 SM2 签名行在这里没有核对（需要 farseal[gm]）；Ed25519 和 ML-DSA-44 已核对",
        "SM2 line: not checked here (needs farseal[gm]); Ed25519 and ML-DSA-44 were",
    ),
    "sm2-absent": words(
        "检查点没有 SM2 签名行；Ed25519 和 ML-DSA-44 已核对",
        "the checkpoint has no SM2 line; Ed25519 and ML-DSA-44 were checked",
    ),
    "unknown-digest": words(
        "条目里还有本程序不认识的摘要，没有核对（SHA-256 已核对）",
        "entries hold digests this program does not know; not checked (SHA-256 was)",
    ),
}

OUTCOMES: Mapping[str, Words] = {
    "ok": words("相符", "holds"),
    "failed": words("不符", "FAILED"),
    "unavailable": words("未核对", "not checked"),
}

AGAINST: Words = words("依据：", "against: ")
CHECKED: Words = words("核对 {total} 项，相符 {ok} 项。", "{total} checks, {ok} hold.")

BETWEEN_TITLE: Words = words("会见在哪两个时间之间：", "Between which times the session lies:")
BETWEEN: Mapping[str, Words] = {
    "not-before": words(
        "不早于 {at}（据 {who}）：念出的四个词出自其签过的检查点（{size} 条），"
        "出词时签名已有 {age_s} 秒",
        "not before {at}, as said by {who}: the words read aloud come from a checkpoint of {size} "
        "entries, signed {age_s} s before they were drawn",
    ),
    "no-before-none": words(
        "不早于：无从得知，没有设置外部见证方",
        "not before: unavailable, no outside party was configured",
    ),
    "no-before-unavailable": words(
        "不早于：无从得知，当时外部见证方没有签名",
        "not before: unavailable, the outside parties had not signed when the words were drawn",
    ),
    "no-before-unknown": words(
        "不早于：无从得知，信任文件里的见证方和时间戳机构都没有签过该检查点",
        "not before: unavailable, nobody outside that your trust.json names has signed that "
        "checkpoint",
    ),
    "no-before-not-kept": words(
        "不早于：无从得知，证据包里没有当时的检查点",
        "not before: unavailable, the bundle does not hold the checkpoint of that time",
    ),
    "first": words(
        "第一段录像：账本第 {index} 条，按公证处的时钟 {at}",
        "first recorded segment: entry {index}, {at} by the office's own clock",
    ),
    "last": words(
        "最后一段录像：账本第 {index} 条，按公证处的时钟 {at}",
        "last recorded segment: entry {index}, {at} by the office's own clock",
    ),
    "no-first": words("没有录像", "nothing was recorded"),
    "no-last": words("没有录像", "nothing was recorded"),
    "not-after": words(
        "不晚于 {at}（据 {who}）：其所见账本已有 {size} 条，会见的封存在内",
        "not after {at}, as said by {who}, of the ledger of {size} entries with the session's seal",
    ),
    "own-after": words(
        "不晚于 {at}，但这只是公证处自己的时钟（账本 {size} 条）",
        "not after {at}, but only by the office's own clock (ledger of {size} entries)",
    ),
    "no-after-unknown": words(
        "不晚于：无从得知，时间戳出自信任文件里没有的机构",
        "not after: unavailable, the timestamp is of an authority your trust.json does not name",
    ),
    "no-after": words(
        "不晚于：无从得知，证据包里没有会见封存后的检查点",
        "not after: unavailable, the bundle holds no checkpoint from after the session's seal",
    ),
}
