import pg from 'pg'
import { StartFailure } from './failure.ts'

/** A row as the replication protocol gives it: by column, as text. */
export type TextRow = Readonly<Record<string, string | null>>

/**
 * A session of PostgreSQL's replication protocol: whole copies of the data and the write-ahead log as it is written.
 * One exchange at a time. https://www.postgresql.org/docs/18/protocol-replication.html
 */
export type Replication = {
  /** The rows of every result of a command, in order. */
  query(command: string): Promise<TextRow[][]>
  /**
   * A command that answers with a copy: `receive` gets its messages, those that came together at once, and nothing more
   * is read until it is done with them. Resolves with the results around the copy.
   */
  copy(command: string, receive: Receive): Promise<TextRow[][]>
  /** A message to the server, while it copies both ways. */
  send(message: Buffer): void
  /** Ends the session at once; an exchange that is under way rejects. */
  close(): void
}

type Receive = (messages: readonly Buffer[], results: readonly TextRow[][]) => Promise<void>

/** What of the driver's connection is used here, and its types leave out. */
type Wire = {
  readonly stream: { pause(): void; resume(): void; destroy(): void }
  query(text: string): void
  sendCopyFromChunk(chunk: Buffer): void
}

/** @throws StartFailure of one line where the server gives no replication to this user. */
export async function openReplication(url: string, applicationName: string): Promise<Replication> {
  const client = new pg.Client({
    connectionString: url,
    application_name: applicationName,
    // Known to the driver and not to its types.
    ...({ replication: 'true' } as object),
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  })
  client.on('error', () => {}) // Whoever waits for an exchange learns of it.
  try {
    await client.connect()
  } catch (error) {
    client.end().catch(() => {})
    throw isRefusal(error) ? noReplication(error) : error
  }
  const { connection } = client as unknown as { connection: Wire }
  const exchange = (command: string, receive: Receive): Promise<TextRow[][]> =>
    client.query(new Exchange(command, receive)).done
  return {
    query: (command) => exchange(command, refuseCopy),
    copy: exchange,
    send: (message) => connection.sendCopyFromChunk(message),
    close() {
      connection.stream.destroy()
      client.end().catch(() => {})
    },
  }
}

function isRefusal(error: unknown): boolean {
  // No line for replication in pg_hba.conf, no right to it, or a pooler that has never heard of it.
  return error instanceof Error && 'code' in error && /^(?:28000|42501|08P01|0A000)$/.test(String(error.code))
}

function noReplication(cause: unknown): StartFailure {
  return new StartFailure(
    "This PostgreSQL gives no copy of itself to this user: grant REPLICATION and a line in pg_hba.conf, or use its provider's snapshots, or `millrace export`.",
    { cause },
  )
}

async function refuseCopy(): Promise<void> {
  throw new Error('a command that answers with rows does not copy')
}

/** One command and all that comes back, as the driver wants a query to be. */
class Exchange {
  readonly done: Promise<TextRow[][]>
  readonly #command: string
  readonly #receive: Receive
  readonly #results: TextRow[][] = []
  readonly #end = Promise.withResolvers<TextRow[][]>()
  #columns: readonly string[] = []
  #waiting: Buffer[] = []
  #receiving: Promise<void> | undefined

  constructor(command: string, receive: Receive) {
    this.#command = command
    this.#receive = receive
    this.done = this.#end.promise
  }

  submit(connection: unknown): void {
    wireOf(connection).query(this.#command)
  }

  handleRowDescription({ fields }: { fields: readonly { name: string }[] }): void {
    this.#columns = fields.map(({ name }) => name)
    this.#results.push([])
  }

  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    this.#results.at(-1)?.push(Object.fromEntries(this.#columns.map((name, place) => [name, fields[place] ?? null])))
  }

  handleCommandComplete(): void {}

  handleEmptyQuery(): void {}

  handleCopyData({ chunk }: { chunk: Buffer }, connection: unknown): void {
    // The driver reads the next packet into the same memory.
    this.#waiting.push(Buffer.from(chunk))
    this.#receiving ??= this.#drain(wireOf(connection))
  }

  handleError(error: Error): void {
    this.#end.reject(error)
  }

  handleReadyForQuery(): void {
    void Promise.resolve(this.#receiving).then(() => this.#end.resolve(this.#results))
  }

  async #drain({ stream }: Wire): Promise<void> {
    stream.pause()
    try {
      // After what came in the same packet.
      await Promise.resolve()
      while (this.#waiting.length > 0) await this.#receive(this.#waiting.splice(0), this.#results)
      stream.resume()
    } catch (error) {
      this.#end.reject(error)
      stream.destroy()
    } finally {
      this.#receiving = undefined
    }
  }
}

function wireOf(connection: unknown): Wire {
  return connection as Wire
}
