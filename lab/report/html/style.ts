import { Markup } from './markup.ts';

/** Colours are told apart by most colour-blind readers and stand 4.5:1 against their background. */
export const style = new Markup(`<style>
:root{color-scheme:light dark;--page:#fbfbfa;--card:#fff;--ink:#1b1e23;--soft:#565d68;--line:#dcdfe4;--passed:#176b3a;--failed:#b3261e;--error:#8a2b8f;--incomplete:#8a5a00;
--s0:#1f5fb0;--s1:#b4500f;--s2:#1c7a55;--s3:#8443a8;--s4:#a8324f;--s5:#4d6b00;--s6:#00707c;--s7:#5c5f66;--s8:#7a5c2e;--s9:#2b4a8f}
@media (prefers-color-scheme:dark){:root{--page:#14161a;--card:#1c1f25;--ink:#e8eaed;--soft:#a6adb8;--line:#363b45;--passed:#6fd08f;--failed:#ff8a80;--error:#e59bea;--incomplete:#f0b95a;
--s0:#7db2f5;--s1:#f0a060;--s2:#6fcfa5;--s3:#cf9bef;--s4:#f292a8;--s5:#b5cf5a;--s6:#62cdd9;--s7:#b5bac4;--s8:#d9b98a;--s9:#9db7f0}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1000px;padding:1.5rem 1rem 4rem;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
a{color:var(--s0)}:focus-visible{outline:2px solid var(--s0);outline-offset:2px}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
p{margin:.4rem 0}small{color:var(--soft);font-size:.82rem}code,pre{font:.85em/1.5 ui-monospace,monospace}
.verdict{background:var(--card);border:1px solid var(--line);border-left:.5rem solid var(--of);border-radius:.4rem;padding:1rem 1.2rem}
.verdict>strong{display:block;font-size:1.3rem;color:var(--of)}
.passed{--of:var(--passed)}.failed{--of:var(--failed)}.error{--of:var(--error)}.incomplete{--of:var(--incomplete)}.aside{--of:var(--soft)}
.verdict>small{display:block}
.warning{border:2px solid var(--incomplete);border-radius:.4rem;padding:.6rem 1rem;margin:1rem 0;background:var(--card)}
nav ul,.legend,.timeline,.timeline ul,.topology ul{list-style:none;padding:0;margin:0}
nav ul,.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem}nav{margin:1rem 0}
.scroll{overflow-x:auto;margin:.6rem 0}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.92rem;overflow-wrap:normal}
th,td{text-align:left;padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}th,td{white-space:nowrap}th{color:var(--soft);font-weight:600}
.why{display:inline-block;min-width:12rem;white-space:normal}nav ul:empty{display:none}details>summary{font-weight:600}.logs summary{font-weight:400}
.digest{font-size:.72em;word-break:break-all;white-space:normal}td .digest{display:block;min-width:16rem}
pre{background:var(--card);border:1px solid var(--line);border-radius:.4rem;padding:.7rem .9rem;overflow:auto;max-height:28rem;white-space:pre-wrap}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.2rem;margin:.8rem 0}dt{color:var(--soft)}dd{margin:0}
figure{margin:1rem 0;background:var(--card);border:1px solid var(--line);border-radius:.4rem;padding:.8rem 1rem}figcaption{margin-bottom:.3rem}
figure svg{display:block;width:100%;height:auto}figure text{font-size:11.5px;fill:var(--soft)}.grid{stroke:var(--line)}
.legend svg{display:inline-block;width:28px;height:10px;margin-right:.4rem}.narrow{display:none}
.series{stroke:var(--c);fill:none;stroke-width:2;stroke-linejoin:round}circle.series{fill:var(--card)}
.s0{--c:var(--s0)}.s1{--c:var(--s1);stroke-dasharray:7 3}.s2{--c:var(--s2);stroke-dasharray:2 3}.s3{--c:var(--s3);stroke-dasharray:9 3 2 3}.s4{--c:var(--s4)}.s5{--c:var(--s5);stroke-dasharray:7 3}.s6{--c:var(--s6);stroke-dasharray:2 3}.s7{--c:var(--s7);stroke-dasharray:9 3 2 3}.s8{--c:var(--s8);stroke-dasharray:12 4}.s9{--c:var(--s9);stroke-dasharray:4 6}circle.series{stroke-dasharray:none}
.timeline>li{display:grid;grid-template-columns:minmax(10rem,2fr) 3fr 4.5rem;gap:.2rem 1rem;align-items:center;padding:.3rem 0;border-bottom:1px solid var(--line)}
.timeline ul{grid-column:1/-1;color:var(--of);padding-left:1.4rem}.sign{color:var(--of);font-weight:700}
.track{position:relative;height:.7rem;background:var(--line);border-radius:.2rem;overflow:hidden}.bar{position:absolute;inset:0 auto 0 0;min-width:3px;background:var(--of)}.took{text-align:right;color:var(--soft);font-size:.9rem}
.topology{display:flex;align-items:flex-start;margin:.6rem 0}.box{border:1.5px solid var(--soft);border-radius:.4rem;background:var(--card);padding:.5rem .8rem}.box>b,.box>small{display:block}
.board{flex:1}.boards{flex:1;min-width:0}.segment{display:block;width:2px;min-width:0;height:1.6rem;margin:0 0 0 2rem;padding:0 0 0 .8rem;border:0;border-left:2px solid var(--s0);transform:none}.gateway{border-color:var(--s0);margin-top:.5rem}.instance{border-color:var(--s2);flex:1;min-width:0}
.topology ul{margin-left:1.2rem;border-left:2px solid var(--s0)}.topology li{display:flex;align-items:center;padding-top:.6rem}
.wire{flex:none;min-width:3.4rem;padding:0 .4rem .1rem;text-align:center;font-size:.75rem;color:var(--soft);border-bottom:2px solid var(--s0);transform:translateY(-50%)}.uplink{border-color:var(--soft);margin-top:2rem}
.topology code{margin-right:.4rem}details{margin:.5rem 0}summary{cursor:pointer;padding:.25rem 0}
@media (max-width:700px){.wide{display:none}.narrow{display:block}.timeline>li{grid-template-columns:1fr auto}.track{grid-row:2;grid-column:1/-1}.topology{display:block}.topology .uplink{display:block;width:2px;min-width:0;height:1.2rem;margin:0 0 0 2rem;padding:0;border:0;background:var(--soft);font-size:0;transform:none}.topology ul{margin-left:.4rem}.wire{min-width:2.6rem}dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}figure{padding:.6rem .5rem}}
@media print{details:not([open])::details-content{content-visibility:visible;display:block}.track,.bar{print-color-adjust:exact}body{max-width:none;padding:0;background:#fff;font-size:11pt}nav,.logs{display:none}figure,.verdict,.timeline>li,tr,.box{break-inside:avoid}pre{max-height:none}h2{break-after:avoid}.scroll{overflow:visible}}
</style>`);
