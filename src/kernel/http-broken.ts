import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { Refusal } from './errors.ts'
import { problemType, toProblem } from './http-problem.ts'
import { acceptTraceparent, traceIdOf } from './http-trace.ts'
import type { Random } from './random.ts'

/** Answers bytes that Node's parser could not make a request of; there is no route, hook or log line for them. */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket, random: Random): void {
  // Reset by the other side, or closed already: nobody is there to read an answer.
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { status, detail } = reasons[error.code ?? ''] ?? { status: 400, detail: 'This is not a valid HTTP request' }
  const traceId = traceIdOf(acceptTraceparent(undefined, random))
  const problem = { ...toProblem(new Refusal('body_malformed', { detail }), traceId), status }
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'connection: close',
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

const reasons: Readonly<Record<string, { status: number; detail: string }>> = {
  HPE_HEADER_OVERFLOW: { status: 431, detail: 'The headers are larger than 16 KiB' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, detail: 'The chunk extensions are larger than 16 KiB' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'The request did not arrive in time' },
}
