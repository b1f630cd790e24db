import { createServer } from 'node:http'
import { performance } from 'node:perf_hooks'
import { answer } from '../child.ts'

// A receiver of webhooks that takes everything and keeps when each came, by its own clock.

export type Asked = { readonly what: 'port' | 'arrivals' }
export type Told = {
  readonly port: number
  readonly ids: readonly string[]
  /** Unix milliseconds, in the order of `ids`. */
  readonly at: Float64Array
  /** CPU of this process so far. */
  readonly cpuUs: number
}

let ids: string[] = []
let at: number[] = []

const server = createServer((request, response) => {
  ids.push(String(request.headers['webhook-id']))
  at.push(performance.timeOrigin + performance.now())
  request.resume()
  request.on('end', () => response.writeHead(204).end())
})
server.keepAliveTimeout = 60_000
const port = await new Promise<number>((resolve) => {
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    resolve(typeof address === 'object' && address ? address.port : 0)
  })
})

// A bench that is killed must not leave it behind.
process.on('disconnect', () => process.exit(0))

answer<Asked, Told>(async ({ what }) => {
  const { user, system } = process.cpuUsage()
  const told = { port, ids, at: Float64Array.from(at), cpuUs: user + system }
  if (what === 'arrivals') [ids, at] = [[], []]
  return told
})
