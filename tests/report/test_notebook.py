from __future__ import annotations

from sentexp.report.notebook import notebook_table


def test_a_table_for_a_notebook_is_escaped() -> None:
    shown = notebook_table("<b>run", [("<i>loss", "0.5"), ("a", "&")], ["<script>", "second"])
    assert "<b>&lt;b&gt;run</b>" in shown
    assert "<td>&lt;i&gt;loss</td><td>0.5</td>" in shown
    assert "&lt;script&gt;<br>second" in shown
