"""The words of `farseal ledger succeed`."""

from server.cli.verify_words import Words, words

DONE: Words = words(
    "旧账本 {old} 在第 {size} 条结束，根 {root}。\n"
    "新账本 {new} 已开始；它的第 0 条指明了旧账本的最后一棵树。旧账本保存在 {folder}，"
    "服务器在 /former/{number}/ 下照常公开。删除了 {files} 个旧私钥文件。\n"
    "请把新的信任文件（office/trust.json）公布出去，并交给见证方。",
    "The old ledger {old} ended at {size} entries, root {root}.\n"
    "The new ledger {new} has begun; its entry 0 names the old one's last tree. The old one is "
    "kept in {folder}, and the server shows it under /former/{number}/. {files} old private "
    "key files were removed.\n"
    "Publish the new trust.json (office/trust.json), and give it to the witnesses.",
)
UNSEALED: Words = words(
    "旧账本的最后一棵树还没有见证方和时间戳的签署；新的信任文件和新账本的第 0 条指明了它。",
    "The old ledger's last tree does not have its witnesses and timestamp; the new trust.json and "
    "entry 0 of the new ledger name it.",
)
GOING_ON: Words = words(
    "{count} 个未结案件继续办理：服务器启动时，它们的记录会从头写入新账本。",
    "{count} open cases go on: when the server starts, their entries are written into the new "
    "ledger from the first on.",
)
AGAIN: Words = words(
    "案件 {case}：会话还没有出具公证书，须重新进行。",
    "Case {case}: its session has no certificate yet and is held again.",
)
LATE: Words = words(
    "公证书 {number}：证据包在泄露之后做成，按新的信任文件不再成立。",
    "Certificate {number}: its bundle was made after the leak and does not hold by the new "
    "trust.json.",
)
UNFINISHED: Words = words(
    "这些案件正在出具公证书的路上：{cases}。先断开网络启动服务器，等它办完（几分钟），"
    "再运行本命令。没有任何改动。",
    "these cases are on their way to a certificate: {cases}. Start the server off the network "
    "until it has finished them (minutes), then run this again. Nothing was changed",
)
NOT_A_TIME: Words = words(
    "{given!r} 不是带时区的时刻，例如 2026-11-24T02:00:00Z；也不能是将来。没有任何改动。",
    "{given!r} is not a moment with a zone, such as 2026-11-24T02:00:00Z, or it lies ahead. "
    "Nothing was changed",
)
NOT_AN_ORIGIN: Words = words(
    "{given!r} 不能作新账本的名字：不含空格和加号，最多 100 字节，且从未用过。没有任何改动。",
    "{given!r} cannot name the new ledger: no spaces, no plus, at most 100 bytes, and never used "
    "before. Nothing was changed",
)
POSTGRES: Words = words(
    "账本在 PostgreSQL 中的机构还不能用本命令。没有任何改动。",
    "this command does not know ledgers in PostgreSQL yet. Nothing was changed",
)
