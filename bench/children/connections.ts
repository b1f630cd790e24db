/** Holds many connections open, and asks something on each of them, now and again. */
import { connect, type Socket } from 'node:net'
import { answer } from '../child.ts'

export type Holding = {
  readonly host: string
  readonly port: number
  readonly connections: number
  readonly rounds: number
}
export type Held = { readonly connections: number; readonly answers: number; readonly errors: number }

/** Opened at once at most, so that the listen queue does not overflow. */
const OPENED_AT_ONCE = 200

answer(async ({ host, port, connections, rounds }: Holding): Promise<Held> => {
  let errors = 0
  let answers = 0
  const sockets: Socket[] = []
  for (let at = 0; at < connections; at += OPENED_AT_ONCE) {
    const wanted = Math.min(OPENED_AT_ONCE, connections - at)
    sockets.push(...(await Promise.all(Array.from({ length: wanted }, () => open(host, port)))))
  }
  for (const socket of sockets) {
    socket.on('error', () => errors++)
    socket.on('close', () => errors++)
  }
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < sockets.length; at += OPENED_AT_ONCE) {
      const outcomes = await Promise.all(sockets.slice(at, at + OPENED_AT_ONCE).map((socket) => ask(socket, host)))
      for (const isGood of outcomes) isGood ? answers++ : errors++
    }
  }
  for (const socket of sockets) socket.removeAllListeners('close').destroy()
  return { connections: sockets.length, answers, errors }
})

function open(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port }, () => resolve(socket))
    socket.once('error', reject)
  })
}

function ask(socket: Socket, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const ended = (): void => resolve(false)
    socket.once('close', ended)
    socket.once('data', (data) => {
      socket.off('close', ended)
      resolve(data.toString('latin1').startsWith('HTTP/1.1 200'))
    })
    socket.write(`GET /healthz HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
  })
}
