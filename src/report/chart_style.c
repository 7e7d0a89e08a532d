#include "report/html_style.h"

/* A series' class cN sets its colour, dN how its line or bar is broken; c8 is for what should not be. Texts
 * keep their size, whatever the chart's width. */
/* clang-format off */
const char chart_style[] = CSS(
:root {
    --c0: #0b62a8; --c1: #c2410c; --c2: #0a7a55; --c3: #86339b;
    --c4: #8a6100; --c5: #0e7490; --c6: #b01e5b; --c7: #55606c;
}
@media (prefers-color-scheme: dark) {
    :root {
        --c0: #6cb4f5; --c1: #ff9b5e; --c2: #4fd0a2; --c3: #d6a0ec;
        --c4: #e6c154; --c5: #5fd0e6; --c6: #ff8bb0; --c7: #b3bdc8;
    }
}
@media print {
    :root {
        --c0: #0b62a8; --c1: #c2410c; --c2: #0a7a55; --c3: #86339b;
        --c4: #8a6100; --c5: #0e7490; --c6: #b01e5b; --c7: #55606c;
    }
}
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
.c4 { --c: var(--c4); } .c5 { --c: var(--c5); } .c6 { --c: var(--c6); } .c7 { --c: var(--c7); }
.c8 { --c: var(--bad); }
.d1 { --line: 7 3; --bar: 6 2; }
.d2 { --line: 2 3; --bar: 2 2; }
.d3 { --line: 10 3 2 3; --bar: 12 2; }
.d4 { --line: 14 4; --bar: 3 1; }
.d5 { --line: 5 2 2 2 2 2; --bar: 8 2 2 2; }
.d6 { --line: 4 4; --bar: 4 4; }
.d7 { --line: 12 3 4 3; --bar: 1 1; }

figure {
    min-width: 0; margin: 1.5rem 0; padding: 1rem 1.125rem .75rem;
    background: var(--card);
    border: 1px solid var(--hair); border-radius: 8px;
}
.pair {
    display: grid; grid-template-columns: repeat(auto-fit, minmax(min(27rem, 100%), 1fr)); gap: 1.5rem;
    margin: 1.5rem 0;
}
.pair figure { margin: 0; }
figcaption { margin-bottom: .75rem; line-height: 1.4; }
figcaption strong { display: block; font-weight: 600; }
figcaption span { color: var(--soft); font-size: .875rem; }

.legend {
    display: flex; flex-wrap: wrap; gap: .25rem 1.25rem;
    margin: 0 0 .5rem; padding: 0;
    font-size: .8125rem; list-style: none;
}
.legend li { display: flex; align-items: center; gap: .5rem; }
.key { flex: none; width: 34px; height: 14px; overflow: visible; }

.plot, .bars { display: block; width: 100%; font-size: 12px; overflow: visible; }
.plot { padding: 28px 20px 44px 0; }
.bars { padding: 0 84px 0 0; }
.plot text, .bars text { fill: var(--ink); }
.plot .label, .plot .under, .plot .beside, .plot .nothing, .bars .unknown { fill: var(--soft); }
.under, .nothing { text-anchor: middle; }
.beside, .label.end { text-anchor: end; }
.nothing { font-size: 14px; }
.grid { stroke: var(--grid); }
.base, .tick { stroke: var(--soft); }
.stretch { fill: var(--shade); }

.lines { width: 100%; height: 100%; overflow: visible; }
.line {
    fill: none;
    stroke: var(--c); stroke-width: 2; stroke-linejoin: round; stroke-dasharray: var(--line, none);
    vector-effect: non-scaling-stroke;
}
.mark { overflow: visible; }
.mark path { fill: var(--c); stroke: var(--c); stroke-width: 1.25; }
.mark.c8 path { stroke-width: 2; }
.bar { stroke: var(--c); stroke-width: 14; stroke-dasharray: var(--bar, none); }
.bar.ground { opacity: .38; }
.halo { stroke: var(--card); stroke-width: 4; }
.whisker { stroke: var(--ink); stroke-width: 1.5; }

@media (max-width: 40rem) { .spare { display: none; } }
@media print { .bar, .mark, .line, .stretch { print-color-adjust: exact; } }
);
/* clang-format on */
