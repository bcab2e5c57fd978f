//! The style sheet of the report: one column, readable without colour, prints on A4 with all details open.

/// CSS of the report.
pub const STYLE: &str = r#"
:root { --ink:#1b2430; --dim:#5b6775; --line:#d9dfe6; --paper:#fff; --ground:#f3f5f8; --accent:#1f5fa8;
  --good:#1b7f4b; --good-bg:#e7f5ed; --bad:#b3261e; --bad-bg:#fdecea; --warn:#8a5a00; --warn-bg:#fff4dd; --note-bg:#eaf1fb; }
* { box-sizing:border-box; }
html { font-size:15px; }
body { margin:0; background:var(--ground); color:var(--ink); line-height:1.5;
  font-family:"Segoe UI",system-ui,-apple-system,"Noto Sans","DejaVu Sans",sans-serif; }
main, header .in, footer { max-width:1120px; margin:0 auto; padding:0 28px; }
header { background:#14283f; color:#fff; padding:30px 0 26px; }
header h1 { margin:0 0 6px; font-size:1.75rem; line-height:1.25; font-weight:650; }
header p { margin:2px 0; color:#c9d6e6; overflow-wrap:anywhere; }
header code { background:none; color:#e8eff8; padding:0; }
nav { margin:14px 0 0; display:flex; flex-wrap:wrap; gap:4px 18px; font-size:.93rem; }
nav a { color:#a9cbf5; }
section { background:var(--paper); border:1px solid var(--line); border-radius:8px; padding:20px 24px 22px; margin:20px 0; }
h2 { font-size:1.2rem; margin:0 0 10px; }
h3 { font-size:1rem; margin:20px 0 8px; }
p { margin:6px 0; }
.dim { color:var(--dim); }
.banner { border-left:6px solid var(--accent); background:var(--note-bg); padding:12px 18px; border-radius:4px; margin:0 0 16px;
  font-size:1.08rem; font-weight:600; }
.banner.good { border-color:var(--good); background:var(--good-bg); }
.banner.bad { border-color:var(--bad); background:var(--bad-bg); }
.banner.wait { border-color:#c98a00; background:var(--warn-bg); }
.cards { display:grid; grid-template-columns:repeat(auto-fill,minmax(270px,1fr)); gap:12px; }
.card { border:1px solid var(--line); border-radius:6px; padding:12px 16px; }
.card b { display:block; font-size:1.45rem; line-height:1.3; font-variant-numeric:tabular-nums; }
.card span { color:var(--dim); font-size:.92rem; }
.wide { overflow-x:auto; }
table { border-collapse:collapse; width:100%; font-size:.94rem; }
th { text-align:left; font-weight:600; color:var(--dim); border-bottom:2px solid var(--line); padding:6px 10px 6px 0; vertical-align:bottom; }
td { border-bottom:1px solid var(--line); padding:7px 10px 7px 0; vertical-align:top; overflow-wrap:anywhere; }
tr:last-child td { border-bottom:0; }
td.n, th.n { text-align:right; white-space:nowrap; font-variant-numeric:tabular-nums; }
td.nw { white-space:nowrap; } .w22 { width:22%; } .w14 { width:15%; } .w40 { width:40%; } .disk { margin-bottom:4px; }
code { font-family:Consolas,"Cascadia Mono","DejaVu Sans Mono",monospace; font-size:.88em; background:#f0f2f5; padding:1px 4px; border-radius:3px;
  overflow-wrap:anywhere; }
.tag { display:inline-block; border-radius:10px; padding:0 9px; font-size:.84rem; font-weight:600; border:1px solid currentColor; white-space:nowrap; }
.tag.good { color:var(--good); background:var(--good-bg); } .tag.bad { color:var(--bad); background:var(--bad-bg); }
.tag.warn { color:var(--warn); background:var(--warn-bg); } .tag.plain { color:var(--dim); background:#f6f7f9; }
.finding { border-left:4px solid var(--line); padding:2px 0 2px 14px; margin:12px 0; break-inside:avoid; }
.finding.blocks { border-color:var(--bad); } .finding.manual { border-color:#c98a00; } .finding.warns { border-color:#d9b44a; }
.finding.notes { border-color:#9db8d9; }
.finding .places { font-size:.88rem; color:var(--dim); margin:2px 0; }
ol.todo { padding-left:22px; margin:8px 0; } ol.todo li { margin:6px 0; }
details > summary { cursor:pointer; font-weight:600; margin:10px 0 6px; }
footer { color:var(--dim); font-size:.9rem; padding-bottom:40px; }
@media print { html { font-size:10.5px; } body, section { background:#fff; } header { background:#fff; color:#000; padding:0; }
  header p, header code { color:#333; } nav { display:none; } section { border:0; border-top:1px solid #999; border-radius:0; padding:12px 0; margin:8px 0; }
  main, header .in, footer { max-width:none; padding:0; } tr { break-inside:avoid; } h2, h3 { break-after:avoid; } .wide { overflow:visible; } }
"#;
