import { refusals } from '#kernel/errors'
import { docsStyle } from './docs-style.ts'
import type { Example } from './examples.ts'
import { type Field, fieldsOf } from './fields.ts'
import type { Operation, openApiOf, Parameter, Response } from './openapi.ts'

type Place = { readonly path: string; readonly method: string; readonly operation: Operation }

/** The API's document as a page: whole when it arrives, and without a script. */
export function docsPageOf(document: ReturnType<typeof openApiOf>): string {
  const places = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Place => ({ path, method, operation })),
  )
  const byTag = Map.groupBy(places, ({ operation }) => operation.tags[0] ?? '')
  const { title, version, description } = document.info
  return page(
    `${title} API`,
    `<nav aria-label="Contents"><h1>${escaped(title)} API</h1><p class="note">${escaped(version)} · <a href="/openapi.json">OpenAPI</a></p>
${[...byTag].map(([tag, listed]) => contents(tag, listed)).join('')}
<h2>Elsewhere</h2><ul><li><a href="#refusals">Refusals</a></li><li><a href="/asyncapi.json">Events (AsyncAPI)</a></li></ul></nav>
<main><h1>${escaped(title)} API</h1><p>${prose(description)}</p>
<p>Every request carries an API key, which speaks for one tenant in one mode. To run the examples, say first where and who:</p>
<pre><code>MILLRACE=http://127.0.0.1:4040
KEY=$(cat .millrace/api-key)</code></pre>
${places.map(section).join('')}${refusalTable()}</main>`,
  )
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${docsStyle}</style></head>
<body>${body}</body></html>
`
}

function contents(tag: string, places: readonly Place[]): string {
  const links = places.map(({ operation }) => {
    return `<li><a href="#${operation.operationId}">${escaped(operation.summary)}</a></li>`
  })
  return `<h2>${escaped(tag.replaceAll('-', ' '))}</h2><ul>${links.join('')}</ul>`
}

function section({ path, method, operation }: Place): string {
  const { operationId, summary, description, parameters, requestBody, responses } = operation
  const examples = operation['x-examples']
  return `<section id="${operationId}"><h2>${escaped(summary)}</h2>
<p class="address"><span class="method ${method}">${method.toUpperCase()}</span>${escaped(path)}</p>
${description ? `<p>${prose(description)}</p>` : ''}
${examples.map(curl).join('')}
${parameters.length > 0 ? `<h3>Parameters</h3>${table(['Name', 'In', ''], parameters.map(parameterRow))}` : ''}
${requestBody ? `<h3>Body</h3>${fieldTable(requestBody.content['application/json']?.schema)}` : ''}
<h3>Answers</h3>${Object.entries(responses).map(answer).join('')}</section>
`
}

function parameterRow({ name, in: place, required, description = '' }: Parameter): string[] {
  return [
    `<code>${escaped(name)}</code>${required ? ' <span class="required">required</span>' : ''}`,
    place,
    prose(description),
  ]
}

function answer([status, { description, content }]: [string, Response]): string {
  const schema = content?.['application/json']?.schema
  const detail = schema ? fieldTable(schema) : ''
  return `<details${schema ? ' open' : ''}><summary>${status}${schema ? '' : ' · problem'}</summary>
<p>${prose(description).replaceAll('\n\n', '<br>')}</p>${detail}</details>`
}

function fieldTable(schema: object | undefined): string {
  return table(['Field', 'Type', ''], fieldsOf(schema ?? {}).map(fieldRow))
}

function fieldRow({ path, type, isRequired, description }: Field): string[] {
  const required = isRequired ? '' : ' <span class="required">optional</span>'
  return [`<code>${escaped(path)}</code>${required}`, escaped(type), prose(description)]
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((name) => `<th scope="col">${name}</th>`).join('')
  const body = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('')
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`
}

/** As it can be pasted into a shell; ids of earlier examples are shell variables. */
function curl({ summary, route, path, headers = {}, body }: Example): string {
  const method = route.split(' ', 1)[0] ?? 'GET'
  const address = `"$MILLRACE${path.replaceAll(/\{(\w+)\}/g, '$$$1')}"`
  const all = { Authorization: 'Bearer $KEY', ...(body ? { 'Content-Type': 'application/json' } : {}), ...headers }
  const lines = [
    `curl ${headers.Accept === 'text/event-stream' ? '-N ' : ''}${method === 'GET' || body ? '' : `-X ${method} `}${address}`,
    ...Object.entries(all).map(([name, value]) => `  -H "${name}: ${value}"`),
    ...(body ? [`  -d '${JSON.stringify(body, null, 2).replaceAll('\n', '\n  ')}'`] : []),
  ]
  return `<p class="note">${escaped(summary)}</p><pre><code>${escaped(lines.join(' \\\n'))}</code></pre>`
}

function refusalTable(): string {
  const rows = Object.entries(refusals)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(
      ([code, { status, title }]) =>
        `<tr id="refusal-${code}"><td><code>${code}</code></td><td>${status}</td><td>${escaped(title)}</td></tr>`,
    )
  return `<section id="refusals"><h2>Refusals</h2><p>What <code>code</code> says in a problem.</p>
<div class="wide"><table><thead><tr><th scope="col">Code</th><th scope="col">Status</th><th scope="col"></th></tr></thead>
<tbody>${rows.join('')}</tbody></table></div></section>`
}

/** Names between backticks are code. */
function prose(text: string): string {
  return escaped(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}

function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character)
}
