import { isDeepStrictEqual } from 'node:util'
import {
  type Block,
  blockHash,
  close,
  type Head,
  leafText,
  NO_BLOCK,
  type OpenBlock,
  type SealedEntry,
} from './block.ts'
import { digits, type ExportedRow, type Placed, placeOf, small, text, texts } from './exported.ts'
import { emptyFrontier, grow, leafHash } from './merkle.ts'
import { different, nameOfBlock, notThere } from './verify-blocks.ts'

type Place = { readonly partition: number; readonly offset: bigint; readonly where: string }

/**
 * Goes along the sealed blocks, partition by partition, beside the entries: each block is made again of the entries whose
 * offsets it names, and follows from the one before. What is wrong with a block is told of that one alone, so that the
 * first that is told is where it happened.
 */
export class ExportedBlocks {
  readonly heads: Head[] = []
  /** Blocks that were made again. */
  made = 0
  readonly #blocks: AsyncIterator<Placed<Block>>
  readonly #tell: (finding: string) => void
  /** Of blocks that somebody noted, those that were not met yet. */
  readonly #noted: Set<string>
  /** The next one of this partition; and one of another that was read for it. */
  #next: Placed<Block> | undefined
  #waiting: IteratorResult<Placed<Block>> | undefined
  #last: Block | undefined
  #growing: OpenBlock | undefined
  #partition = 0
  /** Entries before it are not at hand. */
  #from = 0n
  #isAstray = false

  constructor(about: {
    readonly blocks: AsyncIterator<Placed<Block>>
    readonly noted: Set<string>
    readonly tell: (finding: string) => void
  }) {
    this.#blocks = about.blocks
    this.#noted = about.noted
    this.#tell = about.tell
  }

  async begin(partition: number): Promise<void> {
    this.#partition = partition
    this.#last = undefined
    this.#growing = undefined
    this.#from = 0n
    await this.#advance()
  }

  /** Entries before the offset are elsewhere: of the blocks that they are in only the chain is looked at. */
  async skipTo(offset: bigint): Promise<void> {
    while (this.#next && BigInt(this.#next.firstOffset) < offset) {
      this.#growing = undefined
      await this.#pass(this.#next)
    }
    const behind = this.#last ? BigInt(this.#last.lastOffset) + 1n : 0n
    this.#from = behind > offset ? behind : offset
  }

  /** The next entry of the partition. */
  async add(place: Place, entry: SealedEntry): Promise<void> {
    if (place.offset < this.#from) return
    while (this.#next && place.offset > BigInt(this.#next.lastOffset)) await this.#finish(this.#next)
    const isBefore = this.#next !== undefined && place.offset < BigInt(this.#next.firstOffset)
    if (isBefore && !this.#isAstray) {
      this.#tell(`${place.where}: entry ${entry.source} (ledger/${place.partition} at ${place.offset}) is in no block`)
    }
    this.#isAstray = isBefore
    if (!isBefore) this.#grow(place, entry)
  }

  /** The partition ends: with the block that still grows, if there is one. */
  async end(open: Placed<OpenBlock> | undefined): Promise<void> {
    while (this.#next) await this.#finish(this.#next)
    if (this.#last) this.heads.push({ partition: this.#partition, number: this.#last.number, hash: this.#last.hash })
    // Of a block that began before what is at hand, only its end could be made.
    if (this.#from > 0n && open && BigInt(open.firstOffset) < this.#from) return
    if (isDeepStrictEqual(this.#growing, open && withoutPlace(open))) return
    const where = open ? placeOf(open) : `ledger/${this.#partition}`
    this.#tell(`${where}: what follows the last block is not as it was when it was exported`)
  }

  /** After the last partition. */
  async finish(): Promise<void> {
    for (let left = this.#waiting ?? (await this.#blocks.next()); !left.done; left = await this.#blocks.next()) {
      this.#tell(`${placeOf(left.value)}: ${nameOfBlock(left.value)} stands where no block of it should`)
    }
    for (const hash of this.#noted) {
      this.#tell(notThere(hash))
    }
  }

  #grow({ partition, offset }: Place, entry: SealedEntry): void {
    const { bookedAt } = entry
    const begun = this.#growing ?? {
      partition,
      number: (this.#last?.number ?? 0) + 1,
      firstOffset: `${offset}`,
      firstAt: bookedAt,
      previous: this.#last?.hash ?? NO_BLOCK,
      tree: emptyFrontier,
    }
    const tree = grow(begun.tree, leafHash(leafText(entry)))
    this.#growing = { ...begun, lastOffset: `${offset}`, lastAt: bookedAt, tree }
  }

  /** All its entries have passed. */
  async #finish(placed: Placed<Block>): Promise<void> {
    const block = withoutPlace(placed)
    // Its place in the chain is looked at when it is passed.
    const { number, previous, hash } = block
    const made = this.#growing && { ...close(this.#growing), number, previous, hash }
    this.#growing = undefined
    if (!made) this.#tell(`${placeOf(placed)}: ${nameOfBlock(block)}: none of its entries is there`)
    else if (!isDeepStrictEqual(made, block)) this.#tell(`${placeOf(placed)}: ${different(block, made)}`)
    this.made++
    await this.#pass(placed)
  }

  async #pass(placed: Placed<Block>): Promise<void> {
    const block = withoutPlace(placed)
    const [number, previous] = [(this.#last?.number ?? 0) + 1, this.#last?.hash ?? NO_BLOCK]
    const tell = (finding: string): void => this.#tell(`${placeOf(placed)}: ${nameOfBlock(block)}: ${finding}`)
    if (block.number !== number) tell(`it stands where block ${number} should`)
    else if (block.previous !== previous) tell('the block before it is another than when it was sealed')
    if (blockHash(block) !== block.hash) tell('its hash is not that of what it says')
    else this.#noted.delete(block.hash)
    this.#last = block
    await this.#advance()
  }

  /** The next block, if it is of this partition. */
  async #advance(): Promise<void> {
    const waiting = this.#waiting ?? (await this.#blocks.next())
    this.#waiting = waiting
    const isOurs = !waiting.done && waiting.value.partition === this.#partition
    this.#next = isOurs ? waiting.value : undefined
    if (isOurs) this.#waiting = undefined
  }
}

function withoutPlace<Of>({ file: _, line: __, ...rest }: Placed<Of>) {
  return rest
}

/** @throws InvariantViolation for a row that is none. */
export function blockIn(row: ExportedRow): Block {
  return { ...placeIn(row), entries: small(row, 'entries'), root: text(row, 'root'), hash: text(row, 'hash') }
}

/** @throws InvariantViolation for a row that is none. */
export function openBlockIn(row: ExportedRow): OpenBlock {
  return { ...placeIn(row), tree: { leaves: small(row, 'entries'), roots: texts(row, 'roots') } }
}

function placeIn(row: ExportedRow) {
  return {
    partition: small(row, 'partition'),
    number: small(row, 'number'),
    firstOffset: `${digits(row, 'first_offset')}`,
    lastOffset: `${digits(row, 'last_offset')}`,
    firstAt: small(row, 'first_ms'),
    lastAt: small(row, 'last_ms'),
    previous: text(row, 'previous'),
  }
}
