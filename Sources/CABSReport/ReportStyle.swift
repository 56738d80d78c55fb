/// How pages look.
enum ReportStyle {
    static let sheet = """
        :root {
          color-scheme: light dark;
          --text: #1d232b; --muted: #5b6572; --page: #f6f7f9; --card: #ffffff; --line: #dfe3e8; --best: #e8f3ec;
          --best-text: #14532d;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --text: #e4e8ee; --muted: #9aa5b3; --page: #14181d; --card: #1d2229; --line: #323a45; --best: #1e3a2b;
            --best-text: #b7ecc9;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0 auto; max-width: 1200px; padding: 1.75rem 1.25rem 4rem; background: var(--page); color: var(--text);
          font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
        }
        h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
        h2 { font-size: 1.35rem; margin: 2.4rem 0 .3rem; overflow-wrap: anywhere; }
        h3 { font-size: 1.05rem; margin: 1.8rem 0 .7rem; }
        p { margin: .3rem 0; max-width: 75ch; }
        .muted { color: var(--muted); }
        .facts { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.1rem 0 0; padding: 0; }
        .facts div {
          flex: 1 1 7.6rem; padding: .7rem .9rem; background: var(--card); border: 1px solid var(--line);
          border-radius: 10px;
        }
        .facts dt { color: var(--muted); font-size: .82rem; }
        .facts dd { margin: 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; }
        .figures { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.1rem; }
        @media (min-width: 900px) { .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
        figure {
          margin: 0; padding: .7rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px;
        }
        figure img {
          display: block; width: 100%; height: auto; background: #ffffff; border-radius: 8px;
        }
        figcaption { padding: .55rem .25rem .1rem; font-size: .88rem; color: var(--muted); overflow-wrap: anywhere; }
        figcaption strong { color: var(--text); }
        .mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .8rem; }
        .mistakes img { image-rendering: pixelated; }
        .histogram { display: flex; align-items: flex-end; gap: 2px; height: 7rem; }
        .histogram span { flex: 1; min-height: 1px; background: var(--muted); border-radius: 2px 2px 0 0; }
        section > .scroll, section > figure { margin-bottom: 1.1rem; }
        .figures + .scroll { margin-top: 1.1rem; }
        .scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
        table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
        th, td { padding: .42rem .5rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--line); }
        thead th { border-top: 0; white-space: normal; vertical-align: bottom; color: var(--muted); font-weight: 600; }
        .name, .word { text-align: left; }
        tbody th { font-weight: 600; }
        td.best { background: var(--best); color: var(--best-text); font-weight: 600; }
        .range { display: block; color: var(--muted); font-size: .75rem; font-weight: 400; }
        .line {
          display: inline-block; width: 1.5rem; height: 0; margin-right: .55rem; vertical-align: middle;
          border-top: 4px solid; border-radius: 2px; box-shadow: 0 0 0 1px var(--line);
        }
        code, pre { font: .85em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
        details { margin-top: 1rem; }
        summary { cursor: pointer; margin-bottom: .6rem; font-weight: 600; }
        pre { margin: 0; padding: .8rem 1rem; }
        """
}
