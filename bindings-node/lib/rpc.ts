export function isError(status: number, _contentType: string, _body: Buffer, _complete: boolean): boolean | undefined { return status >= 400; }
export function couldBeRpc(_head: Buffer): boolean { return true; }
export function neededScopes(_body: Buffer | string | object, _tools: ReadonlyMap<string, readonly string[]>): string[] { return []; }
