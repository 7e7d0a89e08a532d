#include "report/html_style.h"

/* clang-format off */
const char html_style[] = CSS(
:root {
    color-scheme: light dark;
    --paper: #fcfcfa; --card: #ffffff; --ink: #1b1f24; --soft: #59626d;
    --hair: #dfe2e6; --grid: #e8eaed; --shade: #e9edf2;
    --accent: #0b62a8; --bad: #b3261e; --bad-paper: #fdecea;
}
@media (prefers-color-scheme: dark) {
    :root {
        --paper: #14171b; --card: #1a1e23; --ink: #e7eaee; --soft: #a0a9b4;
        --hair: #30363d; --grid: #2a3037; --shade: #272e37;
        --accent: #7cbcf7; --bad: #ff8a80; --bad-paper: #3a1d1c;
    }
}

* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
    margin: 0;
    background: var(--paper);
    color: var(--ink);
    font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
    font-variant-numeric: tabular-nums;
    overflow-wrap: anywhere;
}
main, footer { max-width: 70rem; margin: 0 auto; padding: 0 1.5rem; }
footer { padding-top: 2rem; padding-bottom: 3rem; color: var(--soft); font-size: .8125rem; }
p { margin: .25rem 0 1rem; max-width: 44rem; }
code { font: .875em/1.5 ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.note { color: var(--soft); }
.said { font-size: 1.0625rem; }
.said::first-letter { text-transform: uppercase; }

header { padding: 3rem 0 1.5rem; }
.kind {
    margin: 0;
    color: var(--accent);
    font-size: .8125rem; font-weight: 600; letter-spacing: .08em; text-transform: uppercase;
}
h1 { margin: .25rem 0 .5rem; font-size: 2rem; line-height: 1.2; font-weight: 650; letter-spacing: -.015em; }
h2 { margin: 0 0 .25rem; font-size: 1.25rem; line-height: 1.3; font-weight: 650; }
section { margin-top: 1.75rem; padding: 1.75rem 0 .25rem; border-top: 1px solid var(--hair); }

.banner {
    margin: 0 0 1.5rem; padding: .875rem 1.125rem;
    background: var(--bad-paper);
    border-left: 4px solid var(--bad); border-radius: 0 6px 6px 0;
}
.banner strong { margin-right: .35rem; color: var(--bad); letter-spacing: .02em; }

.numbers {
    display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr));
    margin: 0;
    background: var(--card);
    border: 1px solid var(--hair); border-radius: 8px; overflow: hidden;
}
.numbers div { padding: 1rem 1.125rem; box-shadow: 0 0 0 .5px var(--hair); }
.numbers dt { color: var(--soft); font-size: .8125rem; }
.numbers dd {
    margin: .125rem 0 0;
    font-size: 1.625rem; line-height: 1.25; font-weight: 600; letter-spacing: -.015em;
}
.numbers dd.note { font-size: .8125rem; font-weight: 400; letter-spacing: 0; line-height: 1.4; }
.numbers .bad dd:not(.note) { color: var(--bad); }

.facts {
    display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .375rem 1.5rem;
    margin: 1rem 0;
}
.facts dt { color: var(--soft); }
.facts dd { margin: 0; }

.tables { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 0 1.5rem; }
.scroll {
    width: fit-content; max-width: 100%; max-height: 40rem; margin: 1rem 0;
    background: var(--card);
    border: 1px solid var(--hair); border-radius: 8px; overflow: auto;
}
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table {
    width: 100%; border-collapse: separate; border-spacing: 0;
    font-size: .875rem; overflow-wrap: normal;
}
caption { padding: .75rem .875rem .25rem; text-align: left; color: var(--soft); }
th, td {
    padding: .4rem .875rem;
    border-bottom: 1px solid var(--grid);
    text-align: right; vertical-align: top; white-space: nowrap;
}
tbody tr:last-child > * { border-bottom: 0; }
tbody tr:hover > * { background: var(--shade); }
tbody th { font-weight: 400; }
thead th {
    position: sticky; top: 0;
    background: var(--card); color: var(--soft);
    border-bottom-color: var(--hair); font-weight: 600;
}
.text-1 tr > :nth-child(1), .text-2 tr > :nth-child(2), .text-3 tr > :nth-child(3),
.text-4 tr > :nth-child(4), .text-5 tr > :nth-child(5), .text-6 tr > :nth-child(6) { text-align: left; }
.text-2 tr > :nth-child(2) { white-space: normal; }

@media (max-width: 40rem) {
    main, footer { padding-left: 1rem; padding-right: 1rem; }
    header { padding-top: 1.75rem; }
    h1 { font-size: 1.5rem; }
    .numbers { grid-template-columns: 1fr 1fr; }
    .numbers div { padding: .75rem .875rem; }
    .numbers dd { font-size: 1.3125rem; }
    .facts { grid-template-columns: minmax(7rem, 38%) 1fr; gap: .375rem 1rem; }
    .facts .wide { grid-column: 1 / -1; }
    th, td { padding: .4rem .75rem; }
    .text-1 tr > :nth-child(1) { white-space: normal; }
}
@media print {
    :root {
        --paper: #fff; --card: #fff; --ink: #000; --soft: #444;
        --hair: #bbb; --grid: #ddd; --shade: #eee;
        --accent: #000; --bad: #b3261e; --bad-paper: #fff;
    }
    body { font-size: 11pt; }
    main { max-width: none; padding: 0; }
    header { padding-top: 0; }
    .scroll { max-height: none; overflow: visible; }
    thead th { position: static; }
    tr, figure, .numbers, .banner { break-inside: avoid; }
    h2 { break-after: avoid; }
}
);
/* clang-format on */
