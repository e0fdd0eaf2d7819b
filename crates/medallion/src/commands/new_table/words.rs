//! Words in column names and what they mean.

/// What a column's name says that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A password, token or key.
    Secret,
    /// Individual taxpayer number.
    Cpf,
    /// Company number.
    Cnpj,
    /// Either of the two.
    CpfOrCnpj,
    /// Another personal document.
    Document,
    /// E-mail address.
    Email,
    /// Telephone number.
    Phone,
    /// An address of a device, or its signature.
    Network,
    /// Date of birth.
    Birth,
    /// Postal code.
    PostalCode,
    /// Federation unit.
    Region,
    /// Part of an address.
    Address,
    /// Sex, race, religion, health and the like.
    Trait,
    /// Income, credit, balance.
    Money,
    /// Coordinates.
    Place,
    /// A bank account, card or profile.
    Account,
    /// Free text about somebody.
    Note,
    /// A person's name.
    PersonName,
}

impl Meaning {
    /// For comments.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Meaning::Secret => "password, token, key or hash; better not bring it into a lake",
            Meaning::Cpf => "CPF",
            Meaning::Cnpj => "CNPJ; personal where it is that of a sole trader",
            Meaning::CpfOrCnpj => "CPF or CNPJ",
            Meaning::Document => "personal document",
            Meaning::Email => "e-mail address",
            Meaning::Phone => "telephone number",
            Meaning::Network => "address or signature of a device",
            Meaning::Birth => "date of birth",
            Meaning::PostalCode => "postal code",
            Meaning::Region => "federation unit",
            Meaning::Address => "part of an address",
            Meaning::Trait => "trait of a person, which LGPD protects most",
            Meaning::Money => "money or credit of a person",
            Meaning::Place => "coordinates",
            Meaning::Account => "account, card or profile",
            Meaning::Note => "free text",
            Meaning::PersonName => "name, of a person unless it is known to be another",
        }
    }

    /// Closed unless a person opens it.
    pub(super) fn is_personal(self) -> bool {
        !matches!(self, Meaning::Cnpj | Meaning::Region)
    }

    /// True for what often is a row of its own, which other rows refer to.
    fn is_row(self) -> bool {
        matches!(
            self,
            Meaning::Address
                | Meaning::Email
                | Meaning::Phone
                | Meaning::Region
                | Meaning::PostalCode
                | Meaning::PersonName
                | Meaning::Account
                | Meaning::Note
                | Meaning::Document
        )
    }

    /// True for what a yes or no, or a choice from a list, cannot be.
    pub(super) fn is_text_only(self) -> bool {
        !matches!(self, Meaning::Trait | Meaning::Money)
    }
}

/// One entry: all words have to stand in the name, side by side.
type Entry = (&'static [&'static str], Meaning);

/// The first entry that fits decides.
const ENTRIES: &[Entry] = &[
    (&["senha"], Meaning::Secret),
    (&["password"], Meaning::Secret),
    (&["passwd"], Meaning::Secret),
    (&["passphrase"], Meaning::Secret),
    (&["pwd"], Meaning::Secret),
    (&["secret"], Meaning::Secret),
    (&["segredo"], Meaning::Secret),
    (&["token"], Meaning::Secret),
    (&["api", "key"], Meaning::Secret),
    (&["pin"], Meaning::Secret),
    (&["cvv"], Meaning::Secret),
    (&["cpf", "cnpj"], Meaning::CpfOrCnpj),
    (&["cnpj", "cpf"], Meaning::CpfOrCnpj),
    (&["cpf"], Meaning::Cpf),
    (&["cnpj"], Meaning::Cnpj),
    (&["rg"], Meaning::Document),
    (&["cnh"], Meaning::Document),
    (&["ctps"], Meaning::Document),
    (&["pis"], Meaning::Document),
    (&["nis"], Meaning::Document),
    (&["cns"], Meaning::Document),
    (&["passaporte"], Meaning::Document),
    (&["passport"], Meaning::Document),
    (&["documento"], Meaning::Document),
    (&["document", "number"], Meaning::Document),
    (&["titulo", "eleitor"], Meaning::Document),
    (&["ssn"], Meaning::Document),
    (&["tax", "id"], Meaning::Document),
    (&["driver", "license"], Meaning::Document),
    (&["email"], Meaning::Email),
    (&["mail"], Meaning::Email),
    (&["telefone"], Meaning::Phone),
    (&["celular"], Meaning::Phone),
    (&["fone"], Meaning::Phone),
    (&["tel"], Meaning::Phone),
    (&["phone"], Meaning::Phone),
    (&["telephone"], Meaning::Phone),
    (&["cellphone"], Meaning::Phone),
    (&["mobile"], Meaning::Phone),
    (&["whatsapp"], Meaning::Phone),
    (&["fax"], Meaning::Phone),
    (&["msisdn"], Meaning::Phone),
    (&["ip"], Meaning::Network),
    (&["ipv"], Meaning::Network),
    (&["remote", "addr"], Meaning::Network),
    (&["mac", "address"], Meaning::Network),
    (&["user", "agent"], Meaning::Network),
    (&["device", "id"], Meaning::Network),
    (&["imei"], Meaning::Network),
    (&["cookie"], Meaning::Network),
    (&["session", "id"], Meaning::Network),
    (&["nascimento"], Meaning::Birth),
    (&["nasc"], Meaning::Birth),
    (&["aniversario"], Meaning::Birth),
    (&["birth"], Meaning::Birth),
    (&["birthday"], Meaning::Birth),
    (&["birthdate"], Meaning::Birth),
    (&["dob"], Meaning::Birth),
    (&["cep"], Meaning::PostalCode),
    (&["zip"], Meaning::PostalCode),
    (&["zipcode"], Meaning::PostalCode),
    (&["postal"], Meaning::PostalCode),
    (&["postcode"], Meaning::PostalCode),
    (&["estado", "civil"], Meaning::Trait),
    (&["marital"], Meaning::Trait),
    (&["uf"], Meaning::Region),
    (&["estado"], Meaning::Region),
    (&["state"], Meaning::Region),
    (&["endereco"], Meaning::Address),
    (&["logradouro"], Meaning::Address),
    (&["rua"], Meaning::Address),
    (&["complemento"], Meaning::Address),
    (&["address"], Meaning::Address),
    (&["street"], Meaning::Address),
    (&["complement"], Meaning::Address),
    (&["house", "number"], Meaning::Address),
    (&["sexo"], Meaning::Trait),
    (&["genero"], Meaning::Trait),
    (&["gender"], Meaning::Trait),
    (&["sex"], Meaning::Trait),
    (&["raca"], Meaning::Trait),
    (&["race"], Meaning::Trait),
    (&["etnia"], Meaning::Trait),
    (&["ethnicity"], Meaning::Trait),
    (&["religiao"], Meaning::Trait),
    (&["religion"], Meaning::Trait),
    (&["saude"], Meaning::Trait),
    (&["health"], Meaning::Trait),
    (&["biometria"], Meaning::Trait),
    (&["salario"], Meaning::Money),
    (&["renda"], Meaning::Money),
    (&["salary"], Meaning::Money),
    (&["income"], Meaning::Money),
    (&["credit"], Meaning::Money),
    (&["credito"], Meaning::Money),
    (&["saldo"], Meaning::Money),
    (&["balance"], Meaning::Money),
    (&["latitude"], Meaning::Place),
    (&["longitude"], Meaning::Place),
    (&["lat"], Meaning::Place),
    (&["lng"], Meaning::Place),
    (&["lon"], Meaning::Place),
    (&["cartao"], Meaning::Account),
    (&["card", "number"], Meaning::Account),
    (&["iban"], Meaning::Account),
    (&["pix"], Meaning::Account),
    (&["conta", "corrente"], Meaning::Account),
    (&["bank", "account"], Meaning::Account),
    (&["facebook"], Meaning::Account),
    (&["instagram"], Meaning::Account),
    (&["linkedin"], Meaning::Account),
    (&["username"], Meaning::Account),
    (&["login"], Meaning::Account),
    (&["observacao"], Meaning::Note),
    (&["observacoes"], Meaning::Note),
    (&["obs"], Meaning::Note),
    (&["comentario"], Meaning::Note),
    (&["notes"], Meaning::Note),
    (&["comment"], Meaning::Note),
    (&["comments"], Meaning::Note),
    (&["sobrenome"], Meaning::PersonName),
    (&["apelido"], Meaning::PersonName),
    (&["surname"], Meaning::PersonName),
    (&["nickname"], Meaning::PersonName),
    (&["fullname"], Meaning::PersonName),
    (&["titular"], Meaning::PersonName),
    (&["nome", "mae"], Meaning::PersonName),
    (&["nome", "pai"], Meaning::PersonName),
    (&["nome"], Meaning::PersonName),
    (&["name"], Meaning::PersonName),
];

/// A name that ends so tells something about a thing, and is not the thing.
const ABOUT: [&str; 25] = [
    "tipo",
    "type",
    "status",
    "situacao",
    "kind",
    "count",
    "qtd",
    "qtde",
    "quantidade",
    "flag",
    "verified",
    "verificado",
    "confirmed",
    "confirmado",
    "valid",
    "valido",
    "optin",
    "source",
    "origem",
    "label",
    "version",
    "versao",
    "attempts",
    "tentativas",
    "template",
];

/// A name of one of these is not a person's.
const NOT_A_PERSON: [&str; 24] = [
    "product",
    "produto",
    "company",
    "empresa",
    "fantasia",
    "file",
    "arquivo",
    "table",
    "tabela",
    "host",
    "domain",
    "city",
    "cidade",
    "country",
    "pais",
    "state",
    "estado",
    "group",
    "grupo",
    "brand",
    "marca",
    "category",
    "categoria",
    "event",
];

/// Words for a reference to a row elsewhere, at either end of a name.
const REFERENCE: [&str; 4] = ["id", "cod", "codigo", "fk"];

/// What a column's name says; the words of a name are divided by `_`.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    // The one spelling of a word that falls apart.
    let joined = name.replace("e_mail", "email");
    let words: Vec<&str> = joined.split('_').filter(|word| !word.is_empty()).collect();
    if words.last().is_some_and(|last| ABOUT.contains(last)) {
        return None;
    }
    let fits = |(wanted, _): &&Entry| {
        let side_by_side = |window: &[&str]| window.iter().zip(*wanted).all(|(w, v)| is(w, v));
        words.windows(wanted.len()).any(side_by_side)
    };
    let (wanted, found) = ENTRIES.iter().find(fits)?;
    if words.last() == Some(&"hash") {
        // The hash of a CPF leads back to it.
        return found.is_personal().then_some(Meaning::Secret);
    }
    let not_a_person = words.iter().any(|word| NOT_A_PERSON.contains(word));
    if *found == Meaning::PersonName && not_a_person {
        return None;
    }
    // `address_id` is a number of a row, `tax_id` is the thing itself.
    let refers = [words.first(), words.last()]
        .into_iter()
        .flatten()
        .any(|end| REFERENCE.contains(end) && !wanted.contains(end));
    (!(refers && found.is_row())).then_some(*found)
}

/// True for the word itself, also in the plural or numbered.
fn is(word: &str, wanted: &str) -> bool {
    let bare = word.trim_end_matches(|c: char| c.is_ascii_digit());
    word == wanted || bare == wanted || bare.strip_suffix('s') == Some(wanted)
}
