const LINES_PER_CHUNK = 200;

/** Products as an import takes them, a chunk at a time. Their ids begin with the run's name: the catalog keeps earlier ones. */
export async function* productLines(run: string, products: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < products; from += LINES_PER_CHUNK) {
    const rows = Array.from({ length: Math.min(LINES_PER_CHUNK, products - from) }, (_, index) =>
      productLine(run, from + index),
    );
    yield Buffer.from(`${rows.join('\n')}\n`, 'utf8');
  }
}

function productLine(run: string, n: number): string {
  const changedAttributes = {
    title: `Product ${n} of run ${run}`,
    description: 'Light, waterproof and made for long days outside. '.repeat(3),
    brand: 'Nordwind',
    priceMinor: 1_000 + (n % 9_000),
    currency: 'EUR',
    availability: 'in_stock',
  };
  return JSON.stringify({ productId: `${run}-${n}`, operationType: 'create', changedAttributes });
}
