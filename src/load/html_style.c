#include "load/html_style.h"

/* A style sheet as it is written, made a string by the preprocessor. */
#define CSS(...) #__VA_ARGS__ "\n"

/* clang-format off */
const char html_style[] = CSS(
:root{color-scheme:light dark;--paper:#fcfcfa;--card:#ffffff;--ink:#1b1f24;--soft:#59626d;--hair:#dfe2e6;
--grid:#e8eaed;--accent:#0b62a8;--bad:#b3261e;--bad-paper:#fdecea;--shade:#eef1f4}
@media (prefers-color-scheme:dark){:root{--paper:#14171b;--card:#1a1e23;--ink:#e7eaee;--soft:#a0a9b4;
--hair:#30363d;--grid:#2a3037;--accent:#7cbcf7;--bad:#ff8a80;--bad-paper:#3a1d1c;--shade:#232930}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",
Roboto,"Helvetica Neue","Noto Sans","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums;
overflow-wrap:anywhere}
main,footer{max-width:70rem;margin:0 auto;padding:0 1.5rem}
header{padding:3rem 0 1.5rem}
.kind{margin:0;color:var(--accent);font-size:.8125rem;font-weight:600;letter-spacing:.08em;
text-transform:uppercase}
h1{margin:.25rem 0 .5rem;font-size:2rem;line-height:1.2;font-weight:650;letter-spacing:-.015em}
h2{margin:0 0 .25rem;font-size:1.25rem;line-height:1.3;font-weight:650;letter-spacing:-.005em}
section{padding:2rem 0 .5rem;border-top:1px solid var(--hair);margin-top:2rem}
p{margin:.25rem 0 1rem;max-width:44rem}
.note{color:var(--soft)}
footer{padding-top:2rem;padding-bottom:3rem;color:var(--soft);font-size:.8125rem}
.banner{margin:0 0 1.5rem;padding:.875rem 1.125rem;border-left:4px solid var(--bad);
background:var(--bad-paper);border-radius:0 6px 6px 0}
.banner strong{color:var(--bad);letter-spacing:.02em;margin-right:.35rem}
.numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:1px;margin:0;
background:var(--hair);border:1px solid var(--hair);border-radius:8px;overflow:hidden}
.numbers div{background:var(--card);padding:1rem 1.125rem}
.numbers dt{color:var(--soft);font-size:.8125rem}
.numbers dd{margin:.125rem 0 0;font-size:1.625rem;line-height:1.25;font-weight:600;letter-spacing:-.015em}
.numbers dd.note{font-size:.8125rem;font-weight:400;letter-spacing:0;line-height:1.4}
.numbers .bad dd:not(.note){color:var(--bad)}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(27rem,100%),1fr));gap:1.5rem}
.scroll{overflow:auto;max-height:34rem;margin:1rem 0;border:1px solid var(--hair);border-radius:8px;
background:var(--card)}
.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
table{border-collapse:separate;border-spacing:0;width:100%;font-size:.875rem;overflow-wrap:normal}
caption{padding:.75rem 1rem .25rem;text-align:left;color:var(--soft)}
th,td{padding:.4rem 1rem;text-align:right;vertical-align:top;white-space:nowrap;
border-bottom:1px solid var(--grid)}
tbody tr:last-child>*{border-bottom:0}
thead th{position:sticky;top:0;background:var(--card);color:var(--soft);font-weight:600;
border-bottom-color:var(--hair)}
tbody th{font-weight:400}
.text-1 tr>:nth-child(1),.text-2 tr>:nth-child(2),.text-3 tr>:nth-child(3),.text-4 tr>:nth-child(4),
.text-5 tr>:nth-child(5),.text-6 tr>:nth-child(6){text-align:left;white-space:normal;
overflow-wrap:anywhere;min-width:6rem}
.text-1 tr>:nth-child(1){white-space:nowrap}
tbody tr:hover>*{background:var(--shade)}
.facts{display:grid;grid-template-columns:minmax(7rem,max-content) 1fr;gap:.375rem 1.5rem;margin:1rem 0}
.facts dt{color:var(--soft)}
.facts dd{margin:0}
code{font:.875em/1.5 ui-monospace,"SF Mono","Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media (max-width:40rem){main,footer{padding-left:1rem;padding-right:1rem}header{padding-top:1.75rem}
h1{font-size:1.5rem}.numbers{grid-template-columns:1fr 1fr}.numbers div{padding:.75rem .875rem}
.numbers dd{font-size:1.3125rem}.facts{grid-template-columns:1fr;gap:0}.facts dd{margin-bottom:.625rem}
th,td{padding:.4rem .75rem}}
@media print{:root{--paper:#fff;--card:#fff;--ink:#000;--soft:#444;--hair:#bbb;--grid:#ddd;--shade:#eee;
--bad:#b3261e;--bad-paper:#fff;--accent:#000}body{font-size:11pt}main{max-width:none;padding:0}
header{padding-top:0}.scroll{max-height:none;overflow:visible;border-radius:0}
thead th{position:static}tr,figure,.numbers,.banner{break-inside:avoid}h2{break-after:avoid}}
);

/* A series' class cN sets its colour, dN how its line or bar is broken. Texts of a chart keep their size,
 * whatever its width. */
const char chart_style[] = CSS(
:root{--c0:#0b62a8;--c1:#c2410c;--c2:#0a7a55;--c3:#86339b;--c4:#8a6100;--c5:#0e7490;--c6:#b01e5b;--c7:#55606c}
@media (prefers-color-scheme:dark){:root{--c0:#6cb4f5;--c1:#ff9b5e;--c2:#4fd0a2;--c3:#d6a0ec;--c4:#e6c154;
--c5:#5fd0e6;--c6:#ff8bb0;--c7:#b3bdc8}}
@media print{:root{--c0:#0b62a8;--c1:#c2410c;--c2:#0a7a55;--c3:#86339b;--c4:#8a6100;--c5:#0e7490;--c6:#b01e5b;
--c7:#55606c}}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}
.c4{--c:var(--c4)}.c5{--c:var(--c5)}.c6{--c:var(--c6)}.c7{--c:var(--c7)}
.line.d1,.d1 .line{stroke-dasharray:7 3}.line.d2,.d2 .line{stroke-dasharray:2 3}
.line.d3,.d3 .line{stroke-dasharray:10 3 2 3}.line.d4,.d4 .line{stroke-dasharray:14 4}
.line.d5,.d5 .line{stroke-dasharray:5 2 2 2 2 2}.line.d6,.d6 .line{stroke-dasharray:4 4}
.line.d7,.d7 .line{stroke-dasharray:12 3 4 3}
.bar.d1,.d1 .bar{stroke-dasharray:6 2}.bar.d2,.d2 .bar{stroke-dasharray:2 2}
.bar.d3,.d3 .bar{stroke-dasharray:12 2}.bar.d4,.d4 .bar{stroke-dasharray:3 1}
.bar.d5,.d5 .bar{stroke-dasharray:8 2 2 2}.bar.d6,.d6 .bar{stroke-dasharray:4 4}
.bar.d7,.d7 .bar{stroke-dasharray:1 1}
figure{margin:1.5rem 0;padding:1rem 1.125rem .75rem;background:var(--card);border:1px solid var(--hair);
border-radius:8px;min-width:0}
figcaption{margin-bottom:.75rem;line-height:1.4}
figcaption strong{display:block;font-weight:600}
figcaption span{color:var(--soft);font-size:.875rem}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:0 0 .5rem;padding:0;list-style:none;
font-size:.8125rem}
.legend li{display:flex;align-items:center;gap:.5rem}
.key{width:34px;height:14px;flex:none;overflow:visible}
.plot,.bars{display:block;width:100%;overflow:visible;font-size:12px}
.plot{padding:28px 20px 44px 0}
.bars{padding:0 84px 0 0}
.plot text,.bars text{fill:var(--ink)}
.plot .grid,.plot .tick{stroke:var(--grid);stroke-width:1}
.plot .base,.bars .base{stroke:var(--soft);stroke-width:1}
.under{text-anchor:middle}
.beside{text-anchor:end}
.plot .label,.plot .under,.plot .beside,.plot .nothing,.bars .unknown{fill:var(--soft)}
.label.end{text-anchor:end}
.nothing{text-anchor:middle;font-size:14px}
.stretch{fill:var(--shade)}
.lines{overflow:visible;width:100%;height:100%}
.line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.mark{overflow:visible}
.mark path{fill:var(--c);stroke:var(--c);stroke-width:1.25}
.bar{stroke:var(--c);stroke-width:14}
.whisker{stroke:var(--ink);stroke-width:1.25}
@media print{figure{border-color:#bbb}.bar,.mark,.line{print-color-adjust:exact}}
);
/* clang-format on */
