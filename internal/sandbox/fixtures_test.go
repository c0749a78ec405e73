package sandbox_test

const shipment = `{"service":1,"from":{"name":"Loja","address":"Praça da Sé","city":"São Paulo","postal_code":"01001000"},
"to":{"name":"Maria","address":"Avenida Paulista","city":"São Paulo","postal_code":"01310-100"},
"products":[{"name":"Livro","quantity":1,"unitary_value":150,"weight":0.5}],"options":{"tags":[{"tag":"order-1001"}]}}`

const prepost = `{"codigoServico":"03298","remetente":{"nome":"Loja","endereco":{"cep":"01001000"}},
"destinatario":{"nome":"Maria","endereco":{"cep":"01310100"}},"objetoPostal":{"peso":500},"observacao":"order-1001"}`

const invoice = `{"ambiente":"homologacao","referencia":"order-1001","infNFe":{"ide":{"natOp":"Venda"},"emit":{"CNPJ":"1"},"dest":{"CPF":"1"},
"det":[{"nItem":1}],"pag":{"detPag":[]}}}`
