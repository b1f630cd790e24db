/** The whole look of `/docs`: no fonts, images or scripts from anywhere. Allowed by its hash in the page's policy. */
export const docsStyle = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#fbfaf7, #16181b);
  --panel: light-dark(#fff, #1d2024);
  --ink: light-dark(#20242a, #e4e2dc);
  --quiet: light-dark(#5d646e, #a0a5ad);
  --line: light-dark(#e2dfd7, #32363c);
  --accent: light-dark(#0b6b63, #5cc8bc);
  --get: light-dark(#0b6b63, #5cc8bc);
  --post: light-dark(#8a4b08, #e8ae62);
  --delete: light-dark(#a1262f, #f08b91);
}
* { box-sizing: border-box }
html { scroll-padding-top: 1rem }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif;
  display: grid; grid-template-columns: 17rem minmax(0, 1fr);
}
nav {
  position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.5rem 1.25rem;
  border-right: 1px solid var(--line); font-size: .875rem;
}
nav h1 { font-size: 1.15rem; margin: 0 0 .25rem }
nav h2 { font-size: .75rem; text-transform: uppercase; letter-spacing: .06em; color: var(--quiet); margin: 1.25rem 0 .25rem }
nav ul { list-style: none; margin: 0; padding: 0 }
nav li a { display: block; padding: .2rem 0; color: inherit; text-decoration: none }
nav a:hover { color: var(--accent); text-decoration: underline }
main { padding: 2rem clamp(1rem, 4vw, 3.5rem) 6rem; max-width: 62rem }
a { color: var(--accent) }
section { border-top: 1px solid var(--line); padding: 1.75rem 0 .75rem }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 .5rem }
h3 { font-size: .8rem; text-transform: uppercase; letter-spacing: .06em; color: var(--quiet); margin: 1.4rem 0 .4rem }
.address { font: .9rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; margin: 0 0 .75rem }
.method { font-weight: 700; margin-right: .4rem }
.get { color: var(--get) } .post, .patch, .put { color: var(--post) } .delete { color: var(--delete) }
code { font: .875em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere }
pre {
  margin: .4rem 0 1rem; padding: .85rem 1rem; background: var(--panel); border: 1px solid var(--line);
  border-radius: 6px; overflow-x: auto; font-size: .875rem;
}
pre code { overflow-wrap: normal }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { text-align: left; vertical-align: top; padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--line) }
th { font-weight: 600; color: var(--quiet) }
.note, .required { color: var(--quiet); font-size: .85rem }
details { margin: .3rem 0 } summary { cursor: pointer; color: var(--accent) }
:target { scroll-margin-top: 1rem } section:target h2, tr:target td { color: var(--accent) }
a:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px }
@media (max-width: 48rem) {
  body { display: block }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line) }
}
@media print { nav { display: none } body { display: block } }
`
