//! Dead letters and what waits: which ones are meant, and what is said about it.

use serde_json::json;

use super::{LOCAL, ask, body, house, object};

#[tokio::test]
async fn dead_letters_are_listed_without_their_bodies() {
    let house = house(None);

    let (status, response) = ask(&house.admin, "GET /api/dead-letters", &[LOCAL]).await;

    assert_eq!(status, 200);
    let expected = json!({"dead_letters": [{
        "id": "wh_1", "route": "github", "upstream": "ci", "attempts": 3, "reason": "410 Gone",
        "arrived_at": "2026-11-20T20:17:02Z", "given_up_at": "2026-11-20T20:18:02Z",
        "tried": [],
    }], "total": 1});
    assert_eq!(object(response).await, expected);
}

#[tokio::test]
async fn dead_letters_are_not_discarded_by_accident() {
    let house = house(None);
    let ask = async |call: &str| ask(&house.admin, call, &[LOCAL]).await;

    let (all, said) = ask("POST /api/dead-letters/discard").await;
    assert_eq!(all, 400);
    assert!(body(said).await.contains("`all=true`"));
    let (read, _) = ask("GET /api/dead-letters/discard?route=hook").await;
    assert_eq!(read, 405);
    for query in ["route=hook", "all=true"] {
        let (some, said) = ask(&format!("POST /api/dead-letters/discard?{query}")).await;
        assert_eq!(some, 200);
        assert_eq!(object(said).await, json!({"discarded": 2}));
    }
}

#[tokio::test]
async fn a_list_has_a_bound_and_a_page_its_successor() {
    let house = house(None);
    let ask = async |call: &str| ask(&house.admin, call, &[LOCAL]).await;
    let id = format!("wh_{}", "7".repeat(32));

    let (_, first) = ask("GET /api/waiting").await;
    assert_eq!(object(first).await, json!({"waiting": [], "total": 100}));
    let (_, next) = ask(&format!("GET /api/waiting?limit=1000&after={id}")).await;
    let expected = json!({"waiting": [], "total": 1000, "next": id});
    assert_eq!(object(next).await, expected);
    let (refused, said) = ask("GET /api/waiting?limit=1001").await;
    assert_eq!(refused, 400);
    assert_eq!(body(said).await, "`1001` is no number from 1 to 1000\n");
}
