import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { systemClock } from '#kernel/clock'

/** What a network does to what goes through it. `slow` holds every piece back for so long, either way. */
export type Condition =
  | { readonly kind: 'whole' }
  /** Connections are reset, and none is taken. */
  | { readonly kind: 'cut' }
  /** Nothing gets through and nobody is told; what was sent goes on when the wire is whole again. */
  | { readonly kind: 'stalled' }
  /** What is asked arrives, what is answered does not, and in the end the connection is reset. */
  | { readonly kind: 'deaf' }
  | { readonly kind: 'slow'; readonly delayMs: number }

/** A loopback proxy in front of a port: the network between two parties, in our hands. */
export type Wire = {
  readonly port: number
  /** Connections on which something was asked and nothing answered yet. */
  underWay(): number
  become(condition: Condition): void
  close(): Promise<void>
}

type Line = { readonly client: Socket; readonly server: Socket; isAsking: boolean; hasLostAnswers: boolean }

const whole: Condition = { kind: 'whole' }

/** `at` is the port it listens on: a free one by default. */
export async function openWire(to: number, at = 0): Promise<Wire> {
  const lines = new Set<Line>()
  let condition: Condition = whole

  const carry = (from: Socket, into: Socket, line: Line, isAnswer: boolean): void => {
    // Pieces that are held back keep their order: each waits for the one before.
    let last = Promise.resolve()
    from.on('data', (piece: Buffer) => {
      line.isAsking = !isAnswer
      if (isAnswer && condition.kind === 'deaf') return lose(line)
      if (condition.kind !== 'slow') return void pass(from, into, piece)
      const { delayMs } = condition
      const due = systemClock.sleep(delayMs)
      last = Promise.all([last, due]).then(() => pass(from, into, piece))
    })
    from.on('end', () => {
      // That there is nothing more to come is an answer as well.
      if (isAnswer && condition.kind === 'deaf') lose(line)
      else void last.then(() => into.end())
    })
    from.on('error', () => {})
    from.on('close', () => {
      if (isAnswer && line.hasLostAnswers) return
      lines.delete(line)
      into.destroy()
    })
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (condition.kind === 'cut') return void client.on('error', () => {}).resetAndDestroy()
    const upstream = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const line: Line = { client, server: upstream, isAsking: false, hasLostAnswers: false }
    lines.add(line)
    carry(client, upstream, line, false)
    carry(upstream, client, line, true)
    if (condition.kind === 'stalled') hold(line)
  })
  server.listen(at, '127.0.0.1')
  await once(server, 'listening')

  return {
    port: portOf(server.address()),
    underWay: () => [...lines].filter(({ isAsking }) => isAsking).length,
    become(next) {
      condition = next
      for (const line of lines) {
        if (next.kind === 'cut' || line.hasLostAnswers) reset(line)
        else if (next.kind === 'stalled') hold(line)
        else release(line)
      }
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const line of lines) reset(line)
      await closed
    },
  }
}

function lose(line: Line): void {
  line.isAsking = true
  line.hasLostAnswers = true
}

function pass(from: Socket, into: Socket, piece: Buffer): void {
  if (into.destroyed || into.write(piece)) return
  from.pause()
  into.once('drain', () => from.resume())
}

function hold({ client, server }: Line): void {
  client.pause()
  server.pause()
}

function release({ client, server }: Line): void {
  client.resume()
  server.resume()
}

function reset({ client, server }: Line): void {
  for (const socket of [client, server]) {
    // One that has said its last word cannot be reset any more: Node would keep it for ever.
    if (socket.writableEnded) socket.destroy()
    else socket.resetAndDestroy()
  }
}

function portOf(address: ReturnType<ReturnType<typeof createServer>['address']>): number {
  if (typeof address !== 'object' || address === null) throw new Error('a TCP server has a port')
  return address.port
}
