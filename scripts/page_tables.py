"""Tables and numbers of the pages that come from committed files: between `<!-- table: NAME -->` and `<!-- end of table -->`, and within
a sentence between `<!-- value: NAME -->` and `<!-- end of value -->`."""

import re
import sys

TABLE = re.compile(r"<!-- table: ([^\n]+?) -->\n((?:(?!<!-- end of table).)*?)\n?<!-- end of table -->", re.DOTALL)
VALUE = re.compile(r"<!-- value: ([^\n]+?) -->(.*?)<!-- end of value -->", re.DOTALL)


def without_made(text):
    """A page's text without what comes from files."""
    return VALUE.sub("", TABLE.sub("", text))


def names_of_tables(page):
    return [match[1] for match in TABLE.finditer(page.read_text())]


def names_of_values(page):
    return [match[1] for match in VALUE.finditer(page.read_text())]


def update(pages, makers, source, command):
    """Writes the tables and numbers anew; with `--check` among the arguments it writes nothing, and ends with 1 where a page has others.

    pages: the pages' paths. makers: for each name what makes its text; tables of other names stay, numbers have none. source, command: what
    they come from, and what writes them, for the message."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(f"usage: {command} [--check]")

    unused = set(makers)

    def made(name, text=None):
        unused.discard(name)
        if name not in makers and text is None:
            sys.exit(f"nothing makes the number {name}")
        return makers[name]() if name in makers else text

    stale = []
    for page in pages:
        old = page.read_text()
        new = TABLE.sub(lambda match: f"<!-- table: {match[1]} -->\n{made(match[1], match[2])}\n<!-- end of table -->", old)
        new = VALUE.sub(lambda match: f"<!-- value: {match[1]} -->{made(match[1])}<!-- end of value -->", new)
        # A line that begins with a comment ends the paragraph around it.
        if broken := re.search(r"^ *<!-- (value: .*?) -->", new, re.MULTILINE):
            sys.exit(f"{page.name}: {broken[1]} begins a line; put a word before it")
        if new != old:
            stale.append(page.name)
            if not sys.argv[1:]:
                page.write_text(new)
    if unused:
        sys.exit(f"no page has {', '.join(sorted(unused))}")
    if stale and sys.argv[1:]:
        sys.exit(f"{' and '.join(stale)}: not what {source} gives; run {command}")


def table(head, lines):
    """A table of Markdown."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])
