"""The words of `farseal ledger keys`, `rotate`, `retire` and `accept-clock`."""

from server.cli.verify_words import Words, words

SIGNS: Words = words("签署 {first} 条起的账", "signs trees of {first} entries and more")
SIGNED: Words = words(
    "已停用：签署 {first} 至 {last} 条的账", "retired: signed trees of {first} to {last} entries"
)
PREPARED: Words = words(
    "已备好，还没有条目指明它，不签署任何东西", "prepared: no entry names it yet, it signs nothing"
)
ROTATED: Words = words(
    "新旧两代钥匙同时签署；账本第 {index} 条指明了新钥匙，并已封存。\n"
    "请把新的信任文件交给见证方和依据账本的人；几周之后运行 farseal ledger retire。",
    "Both generations sign; entry {index} of the ledger names the new one, and is sealed.\n"
    "Give the new trust.json to the witnesses and to whoever relies on the ledger; some weeks "
    "later, farseal ledger retire.",
)
ROTATED_WAITING: Words = words(
    "新旧两代钥匙同时签署；账本第 {index} 条指明了新钥匙，但还在等见证方或时间戳。"
    "服务器启动后会接着办。",
    "Both generations sign; entry {index} of the ledger names the new one, but still waits for "
    "witnesses or timestamp. The server goes on with it once it is started.",
)
RETIRED: Words = words(
    "旧钥匙已停用，删除了 {files} 个私钥文件。备份里仍有这些私钥：请让备份按期失效。",
    "The old generation signs no more; {files} private key files were removed. Backups still hold "
    "them: let those expire.",
)
NOT_SEALED: Words = words(
    "还没有一个带两代签名的检查点得到见证方和时间戳：此时停用，旧信任文件的持有人就无从得知新钥匙。"
    "没有任何改动；请让服务器运行一会儿再试。",
    "no checkpoint with both generations' lines has its witnesses and timestamp yet: whoever holds "
    "the old trust.json could not learn of the new keys. Nothing was changed; let the server run "
    "for a while and try again",
)
NO_OVERLAP: Words = words(
    "只有一代钥匙在签署，没有可停用的。没有任何改动；先运行 farseal ledger rotate。",
    "only one generation signs, so there is none to retire. Nothing was changed; farseal ledger "
    "rotate comes first",
)
CLOCK: Words = words(
    "已记入账本第 {index} 条：现在的时间是对的。可以启动服务器了。",
    "Entry {index} of the ledger records that the present time is right. Start the server.",
)
