use super::answer;

#[tokio::test]
async fn a_customer_has_its_lowest_current_address_and_the_consents_in_force() {
    let customers = "(1, 'Ana', 'SP', 'retail', 7, true, '2020-01-01T00:00:00',
            '2026-01-01T00:00:00Z'),
        (2, 'Davi', 'RJ', 'digital', 0, false, '2020-01-01T00:00:00', '2026-01-01T00:00:00Z')";
    let addresses = "(1, 1, 'Campinas', 'SP', false), (1, 3, 'Santos', 'SP', true),
        (1, 2, 'Niterói', 'RJ', true)";
    let consents = "(1, 'email', 'marketing', 1, cast(null as varchar), '2026-01-02T00:00:00'),
        (1, 'email', 'billing', 1, null, null), (1, 'sms', 'billing', 0, null, null),
        (1, 'whatsapp', 'billing', 1, '2026-01-04T00:00:00', '2026-01-03T00:00:00'),
        (2, 'phone', 'billing', 0, null, null)";
    let found = answer(
        "customer_360",
        &[
            (
                "silver.crm_customers",
                "id, full_name, region, segment, loyalty_points, newsletter, created_at, updated_at",
                customers.to_owned(),
            ),
            ("silver.crm_addresses", "customer_id, seq, city, region, is_current", addresses.to_owned()),
            (
                "silver.crm_consents",
                "customer_id, channel, purpose, granted, revoked_at, granted_at",
                consents.to_owned(),
            ),
        ],
    )
    .await;
    let told: Vec<String> = found
        .iter()
        .map(|row| {
            let values: Vec<&str> = row.split('|').collect();
            [&values[..1], &values[18..24]].concat().join("|")
        })
        .collect();
    assert_eq!(
        told,
        ["1|Niterói|RJ|2|true|false|2026-01-03T00:00:00", "2|NULL|NULL|0|false|false|NULL",]
    );
}
