// Package nuvemfiscal is the sandbox's Nuvem Fiscal: tokens, fiscal documents
// with their events and batches, companies with their certificates, and postal
// codes.
//
// A document is taken as pending, and authorised by the time somebody asks for
// it, as the tax office takes its seconds; or rejected, where the nature of the
// sale or the words for the service are REJEITAR. Both forms of a document's body are
// taken: the tax office's layout under infNFe and the like, and the flat one
// with emitente and itens that agents know.
//
// A token reaches only the scopes that it was asked for. The field referencia
// is kept and can be searched for, but sending it twice makes two documents.
package nuvemfiscal
