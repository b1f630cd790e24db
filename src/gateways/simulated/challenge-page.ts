import { type Answer, problem } from './answer.ts'
import type { Bank } from './bank.ts'
import type { ApiRequest } from './routes.ts'
import type { Simulation } from './simulation.ts'

/** What the payer sees in place of their bank: `GET /3ds/:intent`, and the two answers to it. */
export function handleChallenge({ method, path }: ApiRequest, simulation: Simulation): Answer {
  const [, id = '', outcome] = /^\/3ds\/([A-Za-z0-9_]{1,255})(?:\/(complete|fail))?$/.exec(path) ?? []
  const intent = simulation.bank.intent(id)
  if (intent === undefined) return problem(404, 'resource_missing', { message: 'The gateway has no such payment.' })
  if (method === 'POST' && outcome !== undefined && intent.status === 'requires_action') {
    simulation.move({ do: outcome === 'complete' ? 'complete_3ds' : 'fail_3ds' }, id)
  }
  return { status: 200, type: 'text/html; charset=utf-8', body: page(id, simulation.bank) }
}

/** Nothing that a caller wrote stands in it: a currency and an id of ours only. */
function page(id: string, bank: Bank): string {
  const intent = bank.intent(id)
  const body =
    intent?.status === 'requires_action'
      ? `<p>${intent.amount} ${intent.currency.toUpperCase()}, in the gateway's units. Is it you who pays?</p>
<form method="post" action="/3ds/${id}/complete"><button>It is me</button></form>
<form method="post" action="/3ds/${id}/fail"><button>It is not</button></form>`
      : `<p>The payment is ${intent?.status}. You can close this page.</p>`
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>3-D Secure, simulated</title>
<style>body{font:1rem/1.5 system-ui;max-width:24rem;margin:4rem auto;color-scheme:light dark}form{display:inline}</style>
<h1>3-D Secure, simulated</h1>${body}</html>`
}
