"""The words of `farseal ledger recover`, in both languages: what is wrong, and each way out.

Beside each kind of `ledger.diagnosis`: what was seen, then the steps. docs/operations.md has the
same ways out.
"""

from collections.abc import Mapping

from server.cli.verify_words import Words, words

SEEN: Mapping[str, Words] = {
    "locked": words(
        "另一个进程正在写这个账本（{database}）。",
        "Another process writes this ledger ({database}).",
    ),
    "empty": words("这里还没有账本（{database}）。", "There is no ledger here yet ({database})."),
    "missing": words(
        "账本数据库不见了（{database}），但守卫标记或见证方知道它存在过。",
        "The database is gone ({database}), though the guard or a witness knows there was one.",
    ),
    "unreachable": words("PostgreSQL 没有应答：{why}", "PostgreSQL does not answer: {why}"),
    "unreadable": words("数据库读不出：{why}", "The database cannot be read: {why}"),
    "triggers": words(
        "数据库不再拒绝改动：触发器 {names} 已关闭或缺失。",
        "The database would not refuse changes: trigger {names} is off or missing.",
    ),
    "entry": words(
        "{where} 与签名时不同（原件可从镜像恢复）。",
        "{where} is not as it was signed (a mirror has what was).",
    ),
    "tile": words(
        "{where} 与条目不符；可以从条目重建。",
        "{where} is not what its entries hash to; it can be built from them.",
    ),
    "damaged": words("{where}：{what}", "{where}: {what}"),
    "guard-missing": words(
        "守卫标记不见了（{guard}），而账本已经签过名。",
        "The guard is missing ({guard}), though the ledger has signed.",
    ),
    "guard-damaged": words("守卫标记不可用：{why}", "The guard is of no use: {why}"),
    "older": words(
        "数据库只有 {size} 条，而 {who} 已见过 {signed} 条：这是一份旧副本。",
        "The database has {size} entries, but {who} has seen {signed}: it is an old copy.",
    ),
    "forked": words(
        "前 {signed} 条与 {who} 所见不同：这是另一份历史（旧副本又写了下去，或是别的账本）。",
        "The first {signed} entries are not those {who} has seen: another history (an old copy "
        "that has grown again, or another ledger).",
    ),
    "clock": words(
        "最新条目的时间比本机时钟晚 {ahead_s} 秒。",
        "The newest entry is {ahead_s} s later than this machine's clock.",
    ),
}

WAYS: Mapping[str, Words] = {
    "locked": words(
        "1. 如果那是正在运行的服务器，一切正常。\n2. 否则找出并停止那个进程，再启动。",
        "1. If that is the running server, all is well.\n"
        "2. Otherwise find that process, stop it, and start again.",
    ),
    "empty": words(
        "1. 请核对目录或数据库地址。\n2. 如果目录正确，首次启动会建立账本。",
        "1. Check the folder, or the database's address.\n"
        "2. If it is the right one, the first start makes the ledger.",
    ),
    "missing": words(
        "1. 不要启动：不要建立新的账本。\n2. 从备份恢复最新的数据库，它不得旧于守卫标记。\n"
        "3. 再运行一次本命令。",
        "1. Do not start: a new ledger would be a second history.\n"
        "2. Restore the newest database there is; it has to reach the guard.\n"
        "3. Run this command again.",
    ),
    "unreachable": words(
        "1. 启动 PostgreSQL，核对地址、用户名和口令。\n2. 再运行一次本命令。",
        "1. Start PostgreSQL; check address, user and password.\n2. Run this command again.",
    ),
    "triggers": words(
        "1. 停止服务器，查明是谁关闭的：期间可能有改动，上面列出的就是。\n"
        "2. 以表的所有者身份运行 farseal ledger recover DIR --rebuild-tiles："
        "写成的新表会拒绝改动。",
        "1. Stop the server and find out who did this: what was changed meanwhile is named above.\n"
        "2. As the role that owns the tables run farseal ledger recover DIR --rebuild-tiles: the "
        "tables it writes refuse changes.",
    ),
    "unreadable": words(
        "1. 停止服务器，把目录（PostgreSQL 则为其数据目录）整个复制到别处。\n2. 检查磁盘。\n"
        "3. 从备份恢复不旧于守卫标记的数据库，再运行一次本命令。",
        "1. Stop the server and copy the whole folder elsewhere; with PostgreSQL, "
        "stop that too and copy its data directory.\n2. Check the disk.\n"
        "3. Restore a database that reaches the guard, and run this command again.",
    ),
    "entry": words(
        "1. 停止服务器，检查磁盘。\n"
        "2. 运行 farseal ledger recover DIR --from-mirror MIRROR："
        "镜像的条目须能证明到已签名的树根。\n"
        "3. 没有镜像时，恢复不旧于守卫标记的备份。绝不重新签名。",
        "1. Stop the server and check the disk.\n"
        "2. Run farseal ledger recover DIR --from-mirror MIRROR: the mirror's entry is proven "
        "against the signed root first.\n"
        "3. Without a mirror, restore a backup that reaches the guard. Never sign anew.",
    ),
    "tile": words(
        "1. 停止服务器，检查磁盘。\n2. 运行 farseal ledger recover DIR --rebuild-tiles。",
        "1. Stop the server and check the disk.\n"
        "2. Run farseal ledger recover DIR --rebuild-tiles.",
    ),
    "damaged": words(
        "1. 停止服务器，检查磁盘。\n"
        "2. 索引可由条目推算：先试 farseal ledger recover DIR --rebuild-tiles，"
        "不成时不会有任何改动。\n"
        "3. 检查点签名不成立时：确认钥匙是否正确，或恢复不旧于守卫标记的备份。",
        "1. Stop the server and check the disk.\n"
        "2. What is filed beside the entries follows from them: try farseal ledger recover DIR "
        "--rebuild-tiles; if that does not do, it changes nothing.\n"
        "3. For a checkpoint whose signature does not hold: check the keys, or restore a backup "
        "that reaches the guard.",
    ),
    "guard-missing": words(
        "1. 从它所在的卷恢复守卫标记。\n"
        "2. 确实丢失时：先向每个见证方和镜像确认，没有人持有比这更新的检查点。\n"
        "3. 然后把下面三行写入该文件：\n{lines}",
        "1. Put the guard back from its volume.\n"
        "2. If it is lost for good: first ask every witness and mirror that none of them holds a "
        "newer checkpoint.\n"
        "3. Then write these three lines into that file:\n{lines}",
    ),
    "guard-damaged": words(
        "1. 从它所在的卷恢复守卫标记。\n2. 恢复不了时，把文件移开，再运行一次本命令。",
        "1. Put the guard back from its volume.\n"
        "2. If that cannot be done, move the file away and run this command again.",
    ),
    "older": words(
        "1. 不要启动，也不要改动守卫标记：继续写会签出第二份历史。\n"
        "2. 恢复最新的数据库（也看看旧磁盘和复制库）。\n"
        "3. 缺的条目若已无处可寻：这个账本到此为止，另立新账本，其第 0 条写明旧账本的最后检查点。",
        "1. Do not start, and leave the guard alone: going on would sign a second history.\n"
        "2. Restore the newest database there is (look on old disks and replicas too).\n"
        "3. If the missing entries are lost everywhere, this ledger has ended: found a new one "
        "whose entry 0 names the old one's last checkpoint.",
    ),
    "forked": words(
        "1. 不要启动。\n2. 把这个目录整个保存下来：它是证据。\n"
        "3. 恢复与守卫标记和见证方一致的数据库。\n"
        "4. 若两份历史都已签名并流出，必须公开：farseal ledger audit 会给出可携带的分叉证明。",
        "1. Do not start.\n2. Keep this whole folder: it is evidence.\n"
        "3. Restore the database that the guard and the witnesses have seen.\n"
        "4. If both histories were signed and shown to others, that has to be said in public: "
        "farseal ledger audit prints a proof of fork to carry away.",
    ),
    "clock": words(
        "1. 把本机时钟校准（NTP）。\n"
        "2. 时钟无误而条目在未来时：账本会保持该时间，直到时钟赶上，并记入 clock-held。\n"
        "3. 运行中因时钟前跳而拒绝写入时：校准时钟后写入会自行恢复。",
        "1. Put this machine's clock right (NTP).\n"
        "2. If the clock is right and the entry lies in the future, the ledger holds its time "
        "until the clock has caught up, and records clock-held.\n"
        "3. If a running log refuses because the clock jumped ahead: put it right, and writing "
        "goes on by itself.",
    ),
}

HEALTHY: Words = words(
    "账本完好：{size} 条，守卫标记 {signed}。", "Well: {size} entries, guard at {signed}."
)
UNSIGNED: Words = words(
    "没有给出账本钥匙（--key），签名没有核对。", "No key was given (--key): signatures not checked."
)
WAY_OUT: Words = words("怎么办：", "The way out:")
REWRITTEN: Words = words(
    "已写成新的数据库并核对无误：{entries} 条；重建 {tiles}；从镜像恢复 {restored}。"
    "损坏的原件保留在 {kept}。",
    "Written anew and checked: {entries} entries; rebuilt {tiles}; restored from the mirror "
    "{restored}. What was damaged is kept as {kept}.",
)
NOTHING: Words = words("无", "none")
NO_KEY: Words = words(
    "需要账本的钥匙（--key）：不能凭镜像自己的话相信镜像。",
    "The log's keys are needed (--key): a mirror is not believed on its own word.",
)
