"""The words of `farseal ledger when`, in both languages: who says so is part of every sentence."""

from collections.abc import Mapping

from server.cli.verify_words import Words, words

ENTRY: Words = words(
    "第 {index} 条（账本自己的时钟：{time}）", "Entry {index} (by the log's own clock: {time})"
)
SIDES: Mapping[str, Words] = {
    "not_before": words("不早于", "not before"),
    "not_after": words("不晚于", "not after"),
}
PROVEN: Mapping[str, Words] = {
    "outside": words("{at}，由 {who} 说（{of}，{size} 条）", "{at}, says {who} ({of} over {size})"),
    "own": words(
        "{at}，由本处自己的时间戳机构说，并非第三方（{who}，{size} 条）",
        "{at}, says the office's own authority, which is no outsider ({who}, over {size})",
    ),
    "named": words(
        "账本自称 {at}、由 {who} 说（第 {anchor} 条）；原件不在手边或未能核对，不算证明",
        "{at} by {who} is named by the log (entry {anchor}), but not seen or not verified here: "
        "no proof",
    ),
}
LOGGED: Words = words("，记入第 {anchor} 条", ", logged back as entry {anchor}")
UNAVAILABLE: Words = words(
    "不可用：手边没有第三方可核对的话", "unavailable: nothing by an outsider at hand that verifies"
)
OF: Mapping[str, Words] = {
    "cosignature": words("见证签名", "cosignature"),
    "timestamp": words("时间戳", "timestamp"),
}
DAMAGED: Words = words(
    "这份账本有不符之处，无从推算时间；请先运行 farseal ledger audit：{where}",
    "Something of this log does not hold, so nothing can be dated; run farseal ledger audit: "
    "{where}",
)
NO_ENTRY: Words = words(
    "没有第 {index} 条：这份账本有 {size} 条",
    "There is no entry {index}: this log has {size}",
)
NO_TRUST: Words = words(
    "没有给出信任文件（--trust），见证方和时间戳都无从核对",
    "No trust file was given (--trust), so neither witnesses nor timestamps could be verified",
)
