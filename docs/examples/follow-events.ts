// Follows the payments of a tenant as they happen, and goes on where it stopped: the place is kept in a file.
//
//   node docs/examples/follow-events.ts URL API_KEY [PLACE_FILE [LAST_TYPE]]
//
// LAST_TYPE ends it after the first event of that type.

import { readFileSync, writeFileSync } from 'node:fs'

const [url = '', apiKey = '', placeFile = 'place.txt', until] = process.argv.slice(2)

/** One connection: ends when the server ends it, as at a restart. */
async function follow(): Promise<void> {
  const headers: Record<string, string> = { authorization: `Bearer ${apiKey}`, accept: 'text/event-stream' }
  const place = lastPlace()
  if (place !== '') headers['last-event-id'] = place
  const answer = await fetch(`${url}/v1/events?type=payment.*`, { headers })
  if (!answer.ok || !answer.body) throw new Error(`${answer.status}: ${await answer.text()}`)
  let rest = ''
  for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
    const blocks = `${rest}${text}`.split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) take(block)
  }
}

/** First what is to be done with the event, then the place: a crash in between repeats it, and loses nothing. */
function take(block: string): void {
  const lines = block.split('\n')
  const value = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
  const data = value('data')
  if (data !== undefined) {
    const event = JSON.parse(data)
    console.log(event.time, event.type, event.subject)
    if (event.type === until) setImmediate(() => process.exit(0))
  }
  const id = value('id')
  if (id !== undefined) writeFileSync(placeFile, id)
}

function lastPlace(): string {
  try {
    return readFileSync(placeFile, 'utf8')
  } catch {
    return ''
  }
}

for (;;) {
  await follow().catch((error: Error) => console.error(error.message))
  await new Promise((resolve) => setTimeout(resolve, 2_000))
}
