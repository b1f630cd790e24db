import { FetchFailure, type HttpFetch, type HttpRequest, type HttpResponse } from '#kernel/fetch'
import type { Machine } from './machine.ts'
import type { SimulatedProcess } from './process.ts'

/** When a call was sent: what the caller's clock said, and the step of the schedule, which no clock can turn round. */
export type Sent = { readonly atMs: number; readonly step: number }

/** A server out there; what it does it does at once, and truly. */
export type Remote = (request: HttpRequest, sent: Sent) => HttpResponse | 'never'

/** How likely each mishap of a call is. */
const LOST_REQUEST = 0.02
const LOST_ANSWER = 0.03
const LATE_ANSWER = 0.02

/** HTTP between the processes and the outside. What has been sent arrives, whatever becomes of the sender. */
export class Network {
  readonly #machine: Machine
  readonly #remote: Remote

  constructor(machine: Machine, remote: Remote) {
    this.#machine = machine
    this.#remote = remote
  }

  call: (process: SimulatedProcess, ...request: Parameters<HttpFetch>) => Promise<HttpResponse> = (
    process,
    request,
  ) => {
    const { scheduler } = this.#machine
    const sent = { atMs: process.nowMs(), step: scheduler.steps }
    const delayMs = (): number => (this.#machine.isCalm ? 0 : 30 * scheduler.below(2))
    return new Promise((resolve, reject) => {
      const later = (owner: string, label: string, inMs: number, run: () => void) =>
        scheduler.add({ owner, label: `http ${label}`, dueMs: scheduler.nowMs + inMs, run })

      if (this.#meets(LOST_REQUEST, 'request_lost', process)) {
        later(process.owner, 'refused', 10, () => reject(new FetchFailure('connect', 'connection')))
        return
      }
      const timeout = later(process.owner, 'timeout', request.timeoutMs, () => {
        reject(new FetchFailure('after_send', 'timeout'))
      })
      later('network', 'request arrives', delayMs(), () => {
        const response = this.#remote(request, sent)
        if (response === 'never') return
        if (this.#meets(LOST_ANSWER, 'answer_lost', process)) return
        const isLate = this.#meets(LATE_ANSWER, 'answer_late', process)
        later(process.owner, 'answer arrives', isLate ? request.timeoutMs * 2 : delayMs(), () => {
          scheduler.drop(timeout)
          resolve(response)
        })
      })
    })
  }

  #meets(probability: number, kind: string, process: SimulatedProcess): boolean {
    const isMet = !this.#machine.isCalm && this.#machine.scheduler.chance(probability)
    if (isMet) this.#machine.fault(kind, process.owner)
    return isMet
  }
}
