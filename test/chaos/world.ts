import { chmodSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isObject, textAt } from '#gateways/stripe'
import { type Child, startChild } from './child.ts'
import type { GatewaySide } from './children/gateway.ts'
import type { ReceiverSide } from './children/receiver.ts'
import { SHOP_SECRET } from './load/merchant.ts'
import { type PlatformProcess, platformProcess } from './platform.ts'
import { type Server, startServer } from './server.ts'
import { openWire, type Wire } from './wire.ts'

/** One platform process, and the wires it is tied to the rest by. */
export type Node = {
  readonly process: PlatformProcess
  /** Where clients and gateways reach it. */
  readonly url: string
  readonly front: Wire
  readonly database: Wire
  readonly gateway: Wire
}

export type Endpoint = { readonly id: string; readonly name: string; readonly types: readonly string[] }

/** All that takes part in a run. */
export type World = {
  readonly directory: string
  readonly dataDir: string
  readonly apiKey: string
  readonly server: Server
  readonly nodes: readonly Node[]
  readonly gateway: Child<GatewaySide>
  readonly receivers: Child<ReceiverSide>
  /** Between every process and all the merchants' servers. */
  readonly outward: Wire
  readonly endpoints: readonly Endpoint[]
  /** Ends everything, whatever state it is in. */
  stop(): Promise<void>
}

const GATEWAY_SECRET = 'whsec_chaos_gateway'

/** What the merchants' servers want to hear: one of everything, one of the money that came in. */
const SUBSCRIPTIONS = [
  { name: 'all of payments', types: ['payment.*'] },
  { name: 'captures and refunds', types: ['payment.captured', 'payment.refunded'] },
]

const UNLIMITED = 1_000_000

export async function buildWorld(about: {
  readonly seed: number
  readonly processes: number
  readonly mutant: string | undefined
}): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-chaos-'))
  chmodSync(directory, 0o711)
  const dataDir = join(directory, 'data')
  mkdirSync(dataDir, { mode: 0o700 })
  const endings: (() => Promise<unknown>)[] = []
  const stop = async (): Promise<void> => {
    for (const end of endings.splice(0).reverse()) await end().catch(() => {})
  }
  const keep = async <Thing>(made: Promise<Thing>, end: (thing: Thing) => Promise<unknown>): Promise<Thing> => {
    const thing = await made
    endings.push(() => end(thing))
    return thing
  }
  const wire = (to: number, at?: number): Promise<Wire> => keep(openWire(to, at), (opened) => opened.close())

  try {
    const server = await keep(startServer(directory), (started) => started.stop())
    const ports = await freePorts(2 * about.processes)
    const fronts = ports.slice(0, about.processes)
    const gateway = await keep(startChild<GatewaySide>('gateway'), (child) => child.stop())
    const webhookUrls = fronts.map((port) => `http://127.0.0.1:${port}/v1/gateways/simulated/acquirer/webhooks`)
    const gatewayPort = await gateway.ask('start', { seed: about.seed, webhookSecret: GATEWAY_SECRET, webhookUrls })
    const receivers = await keep(startChild<ReceiverSide>('receiver'), (child) => child.stop())
    const receiverPorts = await receivers.ask('start', { seed: about.seed, count: SUBSCRIPTIONS.length })
    const outwards = await Promise.all(receiverPorts.map((port) => wire(port)))

    const nodes: Node[] = []
    for (const [place, front] of fronts.entries()) {
      const port = ports[about.processes + place] ?? 0
      const wires = {
        front: await wire(port, front),
        database: await wire(server.port),
        gateway: await wire(gatewayPort),
      }
      const databaseUrl = new URL(server.url)
      databaseUrl.port = String(wires.database.port)
      const process = platformProcess({
        name: `process ${place + 1}`,
        port,
        databaseUrl: databaseUrl.href,
        directory: join(directory, `process-${place + 1}`),
        dataDir,
        config: configOf(`http://127.0.0.1:${wires.gateway.port}`, join(directory, 'archive')),
        mutant: about.mutant,
      })
      endings.push(() => process.kill())
      // One after the other: the first makes the schema, the master key and the API key.
      await process.start()
      nodes.push({ process, url: `http://127.0.0.1:${front}`, ...wires })
    }

    const apiKey = readFileSync(join(dataDir, 'api-key'), 'utf8').trim()
    const endpoints: Endpoint[] = []
    for (const [receiver, subscription] of SUBSCRIPTIONS.entries()) {
      const address = `http://127.0.0.1:${outwards[receiver]?.port}/hooks`
      const { id, secret } = await subscribe(nodes[0]?.url ?? '', apiKey, address, subscription.types)
      await receivers.ask('trust', { receiver, secret })
      endpoints.push({ id, ...subscription })
    }
    const outward = together(outwards)
    return { directory, dataDir, apiKey, server, nodes, gateway, receivers, outward, endpoints, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function configOf(gatewayUrl: string, archiveDir: string): object {
  return {
    archive: { dir: archiveDir },
    gateways: {
      acquirer: { gateway: 'simulated', merchant: 'mer_chaos', url: gatewayUrl, webhookSecrets: [GATEWAY_SECRET] },
      shop: { gateway: 'stripe', merchant: 'mer_shop', webhookSecrets: [SHOP_SECRET] },
    },
    risk: { perCustomerAMinute: UNLIMITED, perMerchantAMinute: UNLIMITED, amountMax: 100_000_000 },
    rateLimit: { perSecond: UNLIMITED, burst: UNLIMITED },
    webhooks: { allowHosts: ['127.0.0.1'] },
  }
}

async function subscribe(url: string, apiKey: string, address: string, types: readonly string[]) {
  const response = await fetch(`${url}/v1/webhook-endpoints`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', 'idempotency-key': address },
    body: JSON.stringify({ url: address, events: types }),
  })
  const made: unknown = await response.json()
  const [id, secret] = isObject(made) ? [textAt(made, 'id'), textAt(made, 'secret')] : []
  if (id === undefined || secret === undefined) throw new Error(`no endpoint was made: ${JSON.stringify(made)}`)
  return { id, secret }
}

/** Several wires as one: what befalls one befalls all. */
function together(wires: readonly Wire[]): Wire {
  return {
    port: wires[0]?.port ?? 0,
    underWay: () => wires.reduce((sum, wire) => sum + wire.underWay(), 0),
    become: (condition) => {
      for (const wire of wires) wire.become(condition)
    },
    close: async () => void (await Promise.all(wires.map((wire) => wire.close()))),
  }
}

/** Below the ports that systems lend to outgoing connections: one of those could take a port while its owner is dead. */
async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  for (let port = 21_000 + (process.pid % 900) * 10; ports.length < count; port++) {
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
