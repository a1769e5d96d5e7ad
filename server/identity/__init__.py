"""The identity room: documents, faces, presence. Hints with numbers and pictures, for a notary.

How it is used. `server/app.py` makes one `analyst.Analyst(clock=...)` for the server and awaits

    reading = await analyst.read_document(jpeg, "front")     # "front", "back" or "passport"
    finding = await analyst.compare(reading.portrait, [frame, frame, frame])
    hints = await analyst.watch(frame, memory=hints.Watch())  # one Watch per participant and take

and shows what comes back: `findings.Finding` and `findings.DocumentReading`, with the sentence
that `texts.render(finding.text_key, finding.detail, language=...)` gives. `words` has the
four spoken words, `challenge` the random actions, `registry` the question to the population
registry; `picture.sniff` tells a file's type at the door.

What is promised
- Nothing rejects anybody. The loudest level is "problem"; a person decides, and gives a reason.
- What could not be analysed is level "unavailable", and is never shown as if all were well. Missing
  or altered weights (weights.lock, FARSEAL_WEIGHTS_DIR) do that, and the call goes on.
- Pictures are decoded in child processes alone, with bounds on bytes, pixels, memory and time, and
  leave this room only as evidence bytes of a finding. Vectors of faces are dropped after use.
- No model comes from anywhere but weights.lock and rapidocr's own wheel; nothing is fetched.

What the figures are worth. Thresholds and quality measures were set on drawn specimen cards, one
animated portrait and a few dozen photographs. They show that the path works. They are no error
rates, say nothing about any group of people, and no conformity with ISO/IEC 30107-3 is claimed.
Check digits show that a document agrees with itself, not that it is genuine.

Words. Say 提示 hint, 相似度 similarity, 未发现异常迹象 "no unusual signs found". Never "verified",
已验证真人 or "fake": this room cannot know either.

Files: findings texts errors - picture faces quality outline ocr card - cn_id resident_id mrz
consistency - models match hints challenge words registry - analyst process worker wire.
"""
