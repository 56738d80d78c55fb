"""Tables of the pages that come from committed files: between `<!-- table: NAME -->` and `<!-- end of table -->`."""

import re
import sys


def update(pages, makers, source, command):
    """Writes the tables anew; with `--check` among the arguments it writes nothing, and ends with 1 where a page has others.

    pages: the pages' paths. makers: for each table's name what makes its text; tables of other names stay. source, command: what
    the tables come from, and what writes them, for the message."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(f"usage: {command} [--check]")

    unused = set(makers)

    def block(match):
        unused.discard(match[1])
        body = makers[match[1]]() if match[1] in makers else match[2]
        return f"<!-- table: {match[1]} -->\n{body}\n<!-- end of table -->"

    stale = []
    for page in pages:
        text = page.read_text()
        made = re.sub(r"<!-- table: ([\w -]+) -->\n((?:(?!<!-- end of table).)*?)\n?<!-- end of table -->", block, text, flags=re.DOTALL)
        if made != text:
            stale.append(page.name)
            if not sys.argv[1:]:
                page.write_text(made)
    if unused:
        sys.exit(f"no page has the tables {', '.join(sorted(unused))}")
    if stale and sys.argv[1:]:
        sys.exit(f"{' and '.join(stale)}: not what {source} gives; run {command}")


def table(head, lines):
    """A table of Markdown."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])
