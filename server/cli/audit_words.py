"""The words of `farseal ledger mirror` and `audit`, in both languages.

They say what was looked at and what was found, and never more.
"""

from collections.abc import Mapping

from server.cli.verify_words import Words, words

CHECKS: Mapping[str, Words] = {
    "checkpoint": words("检查点由账本钥匙签名", "The checkpoints are signed by the ledger's keys"),
    "sm2": words("检查点也由账本的 SM2 钥匙签名", "The checkpoint is signed by the SM2 key too"),
    "witnesses": words("独立见证方的签名足够", "Enough witnesses have signed the checkpoint"),
    "entries": words(
        "每个条目与签名的树根相符，格式唯一", "Every entry is as it was signed, in its one form"
    ),
    "tiles": words("每块瓦片与条目相符", "Every tile is what the entries hash to"),
    "chain": words("条目一条接一条，没有断开", "Each entry follows the one before it"),
    "times": words("时间没有倒退", "Times never fall"),
    "cases": words("每个案件的条目一条不少", "No entry of any case is missing"),
    "kept": words("与保存过的检查点一致", "Consistent with every checkpoint kept before"),
    "tokens": words("手边的时间戳成立", "The timestamps at hand hold"),
    "anchors": words(
        "记回账本的见证与时间戳，原件成立",
        "What others said and the log wrote down is at hand and holds",
    ),
    "register": words(
        "登记簿的编号连续、不重复", "The register's numbers are gapless and used once"
    ),
    "status": words("状态列表可由登记簿推算", "The status list follows from the register"),
}

FOUND: Mapping[str, Words] = {
    "checkpoint": words(
        "{origin}，共 {size} 条，{keys} 把钥匙", "{origin}, {size} entries, {keys} keys"
    ),
    "sm2": words("已核对，{sm2_signed} 个检查点", "checked, {sm2_signed} checkpoints"),
    "witnesses": words("到第 {witnessed} 条为止", "up to {witnessed} entries"),
    "entries": words("{size} 条", "{size} entries"),
    "tiles": words("{tiles} 块", "{tiles} tiles"),
    "cases": words("{cases} 个案件", "{cases} cases"),
    "kept": words("{kept} 个检查点", "{kept} checkpoints"),
    "tokens": words("{tokens} 个，最近 {at}", "{tokens}, the latest of {at}"),
    "anchors": words(
        "{verified} 条成立，最近 {latest}；{unverified} 条没有钥匙可核对，{absent} 条原件不在手边",
        "{verified} hold, the latest of {latest}; {unverified} not verified for want of a key, "
        "{absent} not at hand",
    ),
    "register": words(
        "{numbers} 个编号，{completed} 份出具，{revoked} 份收回",
        "{numbers} numbers, {completed} completed, {revoked} taken back",
    ),
    "status": words("截至 {as_of}", "as of {as_of}"),
}

UNAVAILABLE: Mapping[str, Words] = {
    "witnesses": words(
        "没有给出见证政策（--policy 或 --trust）",
        "no witness policy was given (--policy, --trust)",
    ),
    "tokens-none": words("手边没有时间戳", "no timestamp at hand"),
    "tokens-unknown": words(
        "相符 {tokens} 个；另有 {tokens_unknown} 个出自这份信任文件里没有的时间戳机构，没有核对："
        "请向公证处取新的 trust.json",
        "{tokens} hold; {tokens_unknown} of an authority that this trust file does not name are "
        "not checked: take a newer trust.json from the office",
    ),
    "tokens-unchecked": words(
        "没有核对：没有给出信任文件（--trust）", "not checked: no trust file was given (--trust)"
    ),
    "sm2-none": words(
        "没有给出指明 SM2 钥匙的信任文件（--trust）",
        "no trust file was given that names an SM2 key (--trust)",
    ),
    "sm2-absent": words("最新的检查点没有 SM2 签名行", "the newest checkpoint has no SM2 line"),
    "sm2-unchecked": words(
        "没有核对：需要 [gm] 扩展（pip install 'farseal[gm]'）",
        "not checked: needs the extra [gm] (pip install 'farseal[gm]')",
    ),
    "anchors-none": words("账本没有锚条目", "the log has no anchor entries"),
    "anchors-damaged": words(
        "账本本身有不符之处，无从对照", "the log itself does not hold, so there is nothing to go by"
    ),
    "anchors-unverified": words(
        "{unverified} 条没有钥匙可核对（--trust），{absent} 条原件不在手边：都不算证明",
        "{unverified} not verified for want of a key (--trust), {absent} not at hand: no proof",
    ),
    "status": words(
        "没有给出状态列表和信任文件（--status、--trust）",
        "no status list and trust file given (--status, --trust)",
    ),
    "": words("没有成立的检查点，无从核对", "no checkpoint holds, so there is nothing to go by"),
}

REASONS: Mapping[str, Words] = {
    "signature": words("签名不成立：{error}", "its signature does not hold: {error}"),
    "quorum": words(
        "没有一个检查点有足够的见证方签名", "no checkpoint here was signed by enough witnesses"
    ),
    "root": words("条目推算不出签名的树根", "the entries do not hash to the root that was signed"),
    "hash": words("与签名时不同", "is not what was signed"),
    "unreadable": words(
        "从这里起读不出来，与签名时不同", "cannot be read from here on: not what was signed"
    ),
    "missing": words("文件缺失", "the file is missing"),
    "bundle": words(
        "条目文件的长度不对（应有 {width} 条）", "the bundle breaks off or runs over ({width} wide)"
    ),
    "not-a-leaf": words("不是条目：{error}", "is no entry: {error}"),
    "index": words("自称是第 {written} 条：被移动过", "says it is entry {written}: it was moved"),
    "prev": words("接不上前一条", "does not follow the entry before it"),
    "time": words("时间早于前一条", "is earlier than an entry before it"),
    "case-seq": words(
        "是案件的第 {case_seq} 号，前一号是 {before}：有缺失",
        "is number {case_seq} of its case, after {before}: some are missing",
    ),
    "case-prev": words("接不上案件的前一条", "does not follow its case's entry before it"),
    "length": words("文件长度不对", "the file has the wrong length"),
    "unproven": words(
        "瓦片和其下的条目都推算不出签名的树根",
        "neither the tile nor what is below it leads to the signed root",
    ),
    "tile": words("与条目不符（可由条目重建）", "is not what its entries hash to; can be rebuilt"),
    "leftover": words("与签名的树不符（旧的部分瓦片）", "does not begin the file that replaced it"),
    "keys": words(
        "关于钥匙的条目与此前的矛盾：{error}", "contradicts what was said of the keys: {error}"
    ),
    "fork": words(
        "账本签过两种互相矛盾的历史：{size} 条与 {newest} 条（证据见下）",
        "the ledger signed two histories: of {size} and of {newest} entries (proof below)",
    ),
    "anchor-digest": words(
        "不是锚条目所指的文件：内容与文件名不符",
        "is not what an anchor names: its content does not match its name",
    ),
    "anchor-size": words(
        "称有人见过 {size} 条，而当时账本还没有这么多",
        "says that {size} entries had been seen, which were not there yet",
    ),
    "anchor-time": words(
        "所记时间 {said} 与原件所说的 {time} 不同",
        "says {said}, but what it names says {time}",
    ),
    "anchor-token": words(
        "所指的时间戳不成立：{file}", "the timestamp it names does not hold: {file}"
    ),
    "anchor-line": words(
        "所指的见证签名不成立：{file}", "the cosignature it names does not hold: {file}"
    ),
    "token": words("时间戳不成立：{error}", "the timestamp does not hold: {error}"),
    "other-register": words(
        "登记在本处唯一的登记簿之外", "is registered outside the office's one register"
    ),
    "number-none": words("没有可读的编号：{number}", "has no number that can be read: {number}"),
    "number-twice": words("编号 {number} 用过两次", "number {number} was given out twice"),
    "number-gap": words(
        "编号 {number} 不连续，应为第 {expected} 号",
        "number {number} leaves a gap: {expected} comes next",
    ),
    "number-unknown": words("编号 {number} 没有先登记", "number {number} was not given out before"),
    "index-gap": words(
        "状态序号 {status_index} 不连续，应为 {expected}",
        "status index {status_index} leaves a gap: {expected} comes next",
    ),
    "index-other": words(
        "编号 {number} 的状态序号前后不同", "number {number} has another status index than before"
    ),
    "completed-twice": words(
        "编号 {number} 出具过两次", "number {number} was completed more than once"
    ),
    "not-logged": words("登记簿里没有这份状态列表", "the register does not hold this list"),
    "not-shown": words(
        "登记簿收回了 {status_index} 号，列表没有显示",
        "the register took back {status_index}, the list does not show it",
    ),
    "not-revoked": words(
        "列表显示 {status_index} 号已收回，登记簿没有",
        "the list shows {status_index} as taken back, the register does not",
    ),
}

PLACES: Mapping[str, Words] = {
    "entry": words("条目", "entry"),
    "tile": words("瓦片", "tile"),
    "checkpoint": words("检查点", "checkpoint"),
    "checkpoints": words("检查点", "checkpoint"),
    "entries": words("条目文件", "entries"),
    "attest": words("原件", "attest"),
    "status": words("状态", "status"),
}

CLEAN: Words = words(
    "{origin}：{size} 条，逐条重算，全部与签名一致。",
    "{origin}: {size} entries recomputed, all as they were signed.",
)
DAMAGED: Words = words(
    "{count} 处不符。请从另一份镜像恢复所指的部分，绝不重新签名。",
    "{count} things do not hold. Restore what is named from another mirror; never sign it anew.",
)
OMITTED: Words = words("另有 {omitted} 处", "and {omitted} more")
BEYOND: Words = words(
    "有 {beyond} 个文件不属于这个检查点，没有核对",
    "{beyond} files are not covered by this checkpoint and were not checked",
)
ONE_KEY: Words = words(
    "只给出一把钥匙：另一种签名没有核对",
    "only one key was given: the log's other signature was not checked",
)
FORK: Words = words(
    "分叉证明：账本签过两种互相矛盾的历史。任何有账本钥匙的人都可以核对下面的文本"
    "（farseal ledger fork）。请保存并交给他人。",
    "PROOF OF FORK: the ledger signed two histories that contradict each other. Anyone who has its "
    "key can check the text below (farseal ledger fork). Keep it and show it to others.",
)
KEPT_AT: Words = words("已保存：{where}", "kept as {where}")
MIRRORED: Words = words(
    "{origin}：已镜像 {size} 条（之前 {before} 条），取回 {fetched} 个文件。",
    "{origin}: {size} entries mirrored ({before} before), {fetched} files fetched.",
)
LEARNED: Words = words(
    "账本换过 {learned} 次钥匙：由您给出的钥匙签过的条目证明，已记在 keys/ 里。请更新信任文件。",
    "The log has handed over to {learned} newer generation(s) of keys, proven by the keys you gave "
    "and kept in keys/. Fetch trust.json again.",
)
NO_KEY: Words = words(
    "以谁为准？用 --key 或 --trust 给出从公证处取得的钥匙；镜像里的东西不能证明自己。",
    "Whom to trust? Give a key from the office with --key or --trust; a mirror cannot vouch for "
    "itself.",
)
TRUSTED: Words = words("钥匙取自 {where}", "keys taken from {where}")
FORK_HOLDS: Words = words(
    "成立：{origin} 签过 {old} 条和 {new} 条两个检查点，二者不可能同时为真。",
    "It holds: {origin} signed checkpoints of {old} and of {new} entries that cannot both be true.",
)
FORK_FAILS: Words = words("不成立：{error}", "It does not hold: {error}")
