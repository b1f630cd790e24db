import type { HttpServer } from '#kernel/http'

export type Draining = {
  /** From now on every answer ends its connection: whoever keeps one open connects anew, and elsewhere. */
  begin(): void
  isOn(): boolean
  /** Requests whose answer has not been sent to its end. */
  underWay(): number
}

/** Before any route is added: it looks at all of them. */
export function createDraining(server: HttpServer): Draining {
  let isOn = false
  let underWay = 0
  server.addHook('onRequest', (_, reply, done) => {
    underWay++
    // Also when the client has gone before its answer.
    reply.raw.once('close', () => {
      underWay--
    })
    done()
  })
  server.addHook('onSend', (_, reply, payload, done) => {
    if (isOn) reply.header('connection', 'close')
    done(null, payload)
  })
  return {
    begin: () => {
      isOn = true
    },
    isOn: () => isOn,
    underWay: () => underWay,
  }
}
